"""How much memory there is, and what cannot be had: asked before anything is allocated."""

import math
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from ae_cls.errors import TrainingError

_OF_GROUP = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory() -> int | float:
    """Bytes that this process may have at most: of the machine, its container and its limits."""
    return min(_limits())


def of_machine() -> int:
    """Bytes of memory that the machine has, whoever may use how much of it."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def refuse_more_than_there_is(needed: int | float, what: str, *, where: str, fix: str) -> None:
    """Stop before so many bytes are asked for.

    Args:
        needed: at least; infinity for more than can be counted.
        what: that needs them.
        where: the keys that the size follows from.
        fix: which of them to lower.

    Raises:
        TrainingError: there is less memory.
    """
    there = memory()
    if needed > there:
        size = "more memory than can be counted" if math.isinf(needed) else f"{gigabytes(needed)}"
        raise TrainingError(
            f"{what} needs {size}", where=where, why=f"there are {gigabytes(there)}", fix=fix
        )


def gigabytes(count: int | float) -> str:
    """Bytes, for people."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"


def _limits() -> Iterator[int | float]:
    yield of_machine() + _swap()
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    yield math.inf if soft == resource.RLIM_INFINITY else soft
    for path in _OF_GROUP:
        yield _number(path)


def _number(path: str) -> float:
    try:
        return float(Path(path).read_text())
    except (OSError, ValueError):  # no such group, or "max"
        return math.inf


def _swap() -> int:
    """Bytes of swap space; 0 where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("SwapTotal")), 0)
