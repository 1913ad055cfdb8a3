"""The interval of a share that was counted."""

import math
from statistics import NormalDist


def wilson_interval(
    successes: int | float, count: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Lower and upper end of the score interval of `successes / count` (Wilson 1927), in [0, 1].

    It says how far the share could be off because the test set is finite; nothing about training.
    No continuity correction. `successes` need not be whole; `count` is at least 1; `confidence`
    lies in (0, 1).
    """
    assert 0 <= successes <= count and count > 0, (successes, count)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, shrink = successes / count, 1 + z**2 / count
    centre = (share + z**2 / (2 * count)) / shrink
    spread = share * (1 - share) / count + z**2 / (4 * count**2)
    half = z * math.sqrt(spread) / shrink
    # At 0 and at `count` the end is exactly 0 or 1; rounding leaves it 1e-17 off, on either side.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == count else min(1.0, centre + half)
    return low, high
