"""The options of the group `dataset`: one file an option."""
