"""Regularisation path with warm starts: each descent starts near its end."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ae_cls.head.descent import Descent, LinearModel


def regularisation_path(
    descent: Descent, values: tuple[float, ...], first: LinearModel
) -> Iterator[tuple[float, LinearModel]]:
    """Each C and its minimum, in the order given; the first is searched from `first`."""
    earlier: list[tuple[float, LinearModel]] = []
    for C in values:
        model = descent.run(C, _start(C, earlier) if earlier else first)
        earlier.append((C, model))
        yield C, model


def _start(C: float, earlier: list[tuple[float, LinearModel]]) -> LinearModel:
    """Where the last two minima point to, on a straight line in the logarithm of C."""
    (before, first), (last, second) = earlier[-2:][0], earlier[-1]
    if before == last:
        return second
    share = math.log(C / last) / math.log(last / before)
    # No further than the last step went: a straight line is no guide to what is far away.
    share = np.float32(min(max(share, -1.0), 1.0))
    return replace(
        second,
        weight=second.weight + share * (second.weight - first.weight),
        bias=second.bias + share * (second.bias - first.bias),
    )
