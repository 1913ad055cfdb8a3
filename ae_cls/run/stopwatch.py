"""Seconds a stage."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final


@final
class Stopwatch:
    """Adds up the seconds of named stages, by a clock that never goes back.

    Args:
        entered: called with the name of each stage that begins or goes on.
    """

    def __init__(self, entered: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._entered = entered
        self._open: list[str] = []
        self._inner = [0.0]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside to `name`, less that of stages that begin inside."""
        self._entered(name)
        self._open.append(name)
        started = time.monotonic()
        self._inner.append(0.0)
        try:
            yield
        finally:
            took = time.monotonic() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + took - self._inner.pop()
            self._inner[-1] += took
            self._open.pop()
        if self._open:
            self._entered(self._open[-1])
