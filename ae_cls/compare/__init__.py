"""Finished runs set beside each other: which can be paired, what is claimed, on one page."""
