"""Linear models along a row of strengths, each descent started near its end."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ae_cls.head.descent import Descent, Line


def along(descent: Descent, strengths: tuple[float, ...]) -> Iterator[tuple[float, Line]]:
    """Each strength and its minimum, in the order given."""
    earlier: list[tuple[float, Line]] = []
    for strength in strengths:
        line = descent.run(strength, _start(descent, strength, earlier))
        earlier.append((strength, line))
        yield strength, line


def _start(descent: Descent, strength: float, earlier: list[tuple[float, Line]]) -> Line:
    """Where the last two minima point to, on a straight line in the strength's logarithm."""
    if not earlier:
        return descent.start()
    (before, first), (last, second) = earlier[-2:][0], earlier[-1]
    if before == last:
        return second
    share = math.log(strength / last) / math.log(last / before)
    # No further than the last step went: a line is no guide to what is far away.
    share = np.float32(min(max(share, -1.0), 1.0))
    return replace(
        second,
        weight=second.weight + share * (second.weight - first.weight),
        bias=second.bias + share * (second.bias - first.bias),
    )
