"""The ground, and the only writer: atomic files, manifests, locks, keys, entries."""
