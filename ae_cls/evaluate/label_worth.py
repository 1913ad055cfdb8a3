"""How many labels another method needs for the accuracy that one has with a given number."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64

from ae_cls.evaluate.paired import Comparison

Answers = Float64[np.ndarray, "..."]
"""Of one method with one number of labels, a row a draw: right or not by image, or accuracies."""

Compare = Callable[[Answers], Comparison]
"""Of differences between such answers."""

_STEPS = 24  # between two measured numbers of labels


@final
@dataclass(frozen=True)
class LabelWorth:
    """How many labels the other method needs, as far as it was measured.

    Attributes:
        labels: what the one method had.
        needed: what the other needs to be as good; None where all it was given did not do.
        low: lower end of the 95 % interval; None where it is below the fewest that were tried.
        high: upper end; None where it is above the most that were tried.
        fewest: the smallest number that the other was given.
        most: the largest.
    """

    labels: int
    needed: float | None
    low: float | None
    high: float | None
    fewest: int
    most: int

    @property
    def is_evidence(self) -> bool:
        """Whether the interval leaves out that both need as many."""
        more = self.low is not None and self.low > self.labels
        return more or (self.high is not None and self.high < self.labels)


def label_worth(
    labels: int, answers: Answers, curve: Mapping[int, Answers], compare: Compare
) -> LabelWorth:
    """The labels that the method of `curve` needs to be as good as `answers`.

    Between two measured numbers its answers are taken to change evenly with the logarithm of the
    number. The interval holds each number with which the two cannot be told apart (Fieller's way),
    so a flat curve gives a long one.

    Args:
        labels: that the method of `answers` had.
        answers: a row a draw.
        curve: answers of the other method by number of labels, on the same draws and images.
        compare: the comparison of draws and images, or of splits.
    """
    numbers = _numbers(sorted(curve))
    compared = [compare(_between(curve, number) - answers) for number in numbers]
    reached = [n for n, one in zip(numbers, compared, strict=True) if one.difference >= 0]
    maybe = [n for n, one in zip(numbers, compared, strict=True) if one.high >= 0]
    surely = [n for n, one in zip(numbers, compared, strict=True) if one.low > 0]
    return LabelWorth(
        labels,
        needed=reached[0] if reached else None,
        low=_low(maybe, numbers),
        high=surely[0] if surely else None,
        fewest=round(numbers[0]),
        most=round(numbers[-1]),
    )


def _low(maybe: list[float], numbers: list[float]) -> float | None:
    """Where it begins to be possible; all that was tried where it never does."""
    if not maybe:
        return numbers[-1]
    return None if maybe[0] == numbers[0] else maybe[0]


def _numbers(measured: list[int]) -> list[float]:
    """The measured numbers and steps between them, even in the logarithm."""
    steps = [
        np.geomspace(low, high, _STEPS, endpoint=False).tolist()
        for low, high in itertools.pairwise(measured)
    ]
    return [number for step in steps for number in step] + [float(measured[-1])]


def _between(curve: Mapping[int, Answers], number: float) -> Answers:
    below = max((n for n in curve if n <= number * (1 + 1e-9)), default=min(curve))
    above = min((n for n in curve if n >= number * (1 - 1e-9)), default=max(curve))
    if below == above:
        return curve[below]
    share = np.log(number / below) / np.log(above / below)
    return (1 - share) * curve[below] + share * curve[above]
