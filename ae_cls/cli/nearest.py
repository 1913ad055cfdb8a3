"""The nearest known word."""

import difflib
from collections.abc import Sequence


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The nearest known word as a question; empty when none is near."""
    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else ""
