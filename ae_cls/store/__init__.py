"""The only writer: atomic files, manifests, run folders, saved models."""
