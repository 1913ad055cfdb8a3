"""What may be said of comparisons, in the words that everybody understands."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

from scipy.special import ndtri, stdtrit

from ae_cls.evaluate.paired import Comparison

Word = Literal["helps", "hurts", "cannot be told apart"]

LEVEL = 0.05
"""How often all claims of one family together may hold a wrong one."""

FEWEST_DRAWS = 3
"""Of one draw or two the spread is unknown; nothing is claimed of a method from so few."""

_CHANCE = 0.8  # that the further draws which are advised do separate two methods
_MOST_FURTHER = 1000


@final
@dataclass(frozen=True)
class Claim:
    """What is said of one comparison among several.

    Attributes:
        word: "helps" or "hurts" only where the interval leaves 0 out.
        p: adjusted for the number of comparisons (Holm 1979).
        low: lower end of the interval that is adjusted alike.
        high: its upper end.
    """

    word: Word
    p: float
    low: float
    high: float


def claims(comparisons: Sequence[Comparison]) -> list[Claim]:
    """What may be said of each, so that one or more is wrong in at most 5 of 100 families.

    Comparisons of fewer than three draws are not tested: nothing can be claimed of them.
    """
    tested = [one.p for one in comparisons if one.pairs >= FEWEST_DRAWS]
    adjusted, levels = iter(holm(tested)), iter(_levels(tested))
    strictest = LEVEL / max(1, len(tested))
    return [
        _claim(one, next(adjusted), next(levels))
        if one.pairs >= FEWEST_DRAWS
        else Claim("cannot be told apart", 1.0, *one.interval(1 - strictest))
        for one in comparisons
    ]


def holm(ps: Sequence[float]) -> list[float]:
    """The p of each hypothesis, adjusted for their number (Holm 1979), in the same order."""
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(_ascending(ps)):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = largest
    return adjusted


def further_draws(comparison: Comparison, level: float = LEVEL) -> int | None:
    """About how many more draws would separate the two, with a chance of 80 %.

    The difference and the spread are taken to stay as they are. None where no number would: the
    test images are too few, or there is one draw and its spread is unknown.

    Args:
        comparison: as it is now.
        level: at which it is tested, adjusted for all that is asked.
    """
    if comparison.pairs < 2:
        return None
    for further in range(_MOST_FURTHER + 1):
        if _would_separate(comparison, comparison.pairs + further, level):
            return further
    return None


def _would_separate(comparison: Comparison, draws: int, level: float) -> bool:
    if draws < FEWEST_DRAWS:
        return False
    here = comparison.of_draws + comparison.of_images
    of_draws = (here - comparison.lasting) * comparison.pairs / draws
    wide = float(stdtrit(draws - 1, 1 - level / 2)) ** 2 * of_draws
    wide += float(ndtri(1 - level / 2)) ** 2 * comparison.lasting
    chance = float(ndtri(_CHANCE)) * math.sqrt(of_draws + comparison.lasting)
    return abs(comparison.difference) > math.sqrt(wide) + chance


def _claim(comparison: Comparison, p: float, level: float) -> Claim:
    low, high = comparison.interval(1 - level)
    word: Word = "cannot be told apart"
    if p < LEVEL:
        word = "helps" if comparison.difference > 0 else "hurts"
    return Claim(word, p, low, high)


def _levels(ps: Sequence[float]) -> list[float]:
    """The level at which Holm's procedure tests each; the first not rejected ends it."""
    levels, last = [0.0] * len(ps), 0.0
    for rank, place in enumerate(_ascending(ps)):
        if rank == 0 or ps[_ascending(ps)[rank - 1]] < last:
            last = LEVEL / (len(ps) - rank)
        levels[place] = last
    return levels


def _ascending(ps: Sequence[float]) -> list[int]:
    return sorted(range(len(ps)), key=lambda place: ps[place])
