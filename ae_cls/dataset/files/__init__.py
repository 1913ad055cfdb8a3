"""Strangers' files: finding, reading and decoding them."""
