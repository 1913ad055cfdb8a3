"""Which numbers of their type the image files of a data set use: all files together, not each.

One picture alone says nothing: a dark one belongs to a bright set. And a few hot or dead pixels say
nothing either, so of each file the one pixel in 200 with the smallest numbers and the one with the
largest are left out (cameras have at most about one bad pixel in 1000, and what tells classes apart
covers more), and of many files one in 50, but never fewer than one, as a lamp in the picture is.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from ae_cls.dataset.decoding import Decoding
from ae_cls.dataset.facts import ImageFacts
from ae_cls.errors import DataError, some

LEAST_SHARE = 0.25
"""Of the type's range that a data set must use: of 256 levels at least 64 are then left."""

_MOST_UNLIKE = 0.02  # files that may reach beyond the others
_FEWEST = 3  # files, of which one may be unlike the others


def refuse_unused_range(
    facts: ImageFacts, paths: Sequence[str], where: str, decoding: Decoding
) -> None:
    """Refuse a data set whose numbers would all become nearly one grey, or end beyond white.

    Args:
        facts: one row a file.
        paths: likewise.
        where: the data set, for the message.
        decoding: if it says what is black and white, nothing is in doubt.

    Raises:
        DataError: with the range in use and the keys that set it.
    """
    deep = ~np.isnan(facts.full)
    if decoding.black is not None or not deep.any():
        return
    if facts.outside.any():
        raise _outside(facts, paths, where)
    low, high = _in_use(facts.low / facts.full, facts.high / facts.full, deep)
    # All of one number is no narrow range, but a picture of one colour: said elsewhere.
    if low < high and high - low < LEAST_SHARE:
        raise _narrow(facts, paths, where, deep, high - low)


def _outside(facts: ImageFacts, paths: Sequence[str], where: str) -> DataError:
    outside = facts.outside
    lines = [
        f"{path}: {number_text(low)} to {number_text(high)}, where the type has 0 to "
        f"{number_text(full)}"
        for path, low, high, full, wrong in zip(
            paths, facts.lowest, facts.highest, facts.full, outside, strict=True
        )
        if wrong
    ]
    return DataError(
        f"it is unknown which number is black and which is white in {outside.sum()} of "
        f"{len(facts)} images",
        where=where,
        why="\n".join(some(lines)),
        fix=_words(facts, ~np.isnan(facts.full)),
    )


def _narrow(
    facts: ImageFacts, paths: Sequence[str], where: str, deep: Bool[np.ndarray, " n"], share: float
) -> DataError:
    low, high = _in_use(facts.low, facts.high, deep)
    first = int(deep.argmax())
    kind = "floats" if facts.is_float[first] else f"{facts.bits[first]} bits"
    return DataError(
        f"the images use {share:.1%} of the range of their numbers, and would be nearly of one "
        "grey",
        where=where,
        why=f"{deep.sum()} of {len(facts)} images are of {kind} (first {paths[first]}), which can "
        f"hold 0 to {number_text(facts.full[first])}; they hold {number_text(low)} to "
        f"{number_text(high)}, apart from a few pixels "
        f"({number_text(facts.lowest[deep].min())} to {number_text(facts.highest[deep].max())})",
        fix=f"{_words(facts, deep)}; or, where they are meant to be so dark or so pale, "
        f"{_as_it_is(facts, first)}",
    )


def _in_use(
    lows: np.ndarray, highs: np.ndarray, deep: Bool[np.ndarray, " n"]
) -> tuple[float, float]:
    """The range of nearly all files."""
    lows, highs = lows[deep], highs[deep]
    if len(lows) < _FEWEST:
        return float(lows.min()), float(highs.max())
    return (
        float(np.quantile(lows, _MOST_UNLIKE, method="higher")),
        float(np.quantile(highs, 1 - _MOST_UNLIKE, method="lower")),
    )


def _words(facts: ImageFacts, deep: Bool[np.ndarray, " n"]) -> str:
    """What to type, for files of either direction."""
    directions = [deep & ~facts.white_is_zero, deep & facts.white_is_zero]
    if all(files.any() for files in directions):
        return (
            "save all with one photometric interpretation: in some 0 is black, in others white, "
            "and dataset.black and dataset.white are the same numbers for all"
        )
    low, high = rounded_outward(*_in_use(facts.low, facts.high, deep))
    black, white = (high, low) if directions[1].any() else (low, high)
    return f"dataset.black={number_text(black)} dataset.white={number_text(white)}"


def _as_it_is(facts: ImageFacts, row: int) -> str:
    black, white = 0.0, float(facts.full[row])
    if facts.white_is_zero[row]:
        black, white = white, black
    return f"dataset.black={number_text(black)} dataset.white={number_text(white)}"


def rounded_outward(low: float, high: float) -> tuple[float, float]:
    """A range about as wide, with ends that people read easily: a tenth of its leading digit."""
    if not low < high:
        return low, low + 1
    step = 10.0 ** (math.floor(math.log10(high - low)) - 1)
    return (
        float(f"{math.floor(low / step + 1e-9) * step:.12g}"),
        float(f"{math.ceil(high / step - 1e-9) * step:.12g}"),
    )


def number_text(number: float) -> str:
    """A number as one types it."""
    return f"{number:.10g}"
