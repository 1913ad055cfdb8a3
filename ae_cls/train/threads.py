"""How many CPU threads are fastest at the moment.

Each part of a step waits for the last of its threads. On a machine that others use, too, one of
them is often set aside by the system while all others wait: fewer threads are then faster.
"""

import statistics
from collections.abc import Callable

from ae_cls.machine.threads import limit_threads

_ROUNDS = 3
_CLEARLY = 0.87  # of the time; a smaller gain may be noise, and more threads gain when it is over


def take_fastest(most: int, work: Callable[[], float]) -> int:
    """Let this process compute on `most` threads, on half of them or fewer, and say on how many.

    Args:
        most: from which it begins; halving ends as soon as it does not help.
        work: does a piece of the work, always the same, and says in how many seconds.
    """
    chosen = most
    while chosen > 1 and _is_faster(chosen // 2, chosen, work):
        chosen //= 2
    limit_threads(chosen)
    return chosen


def _is_faster(fewer: int, count: int, work: Callable[[], float]) -> bool:
    """In turn, so that what else happens on the machine meets both."""
    times: dict[int, list[float]] = {count: [], fewer: []}
    for _ in range(_ROUNDS):
        for number, seconds in times.items():
            limit_threads(number)
            seconds.append(work())
    return statistics.median(times[fewer]) < _CLEARLY * statistics.median(times[count])
