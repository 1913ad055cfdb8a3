"""Ctrl-C and SIGTERM while jobs are carried out: noted at once, answered between two looks."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import final

from ae_cls.interrupt import CODES, TERMINATED

_ECHO = 0.1  # seconds; `timeout` and batch systems send a signal to a process and to its group


@final
class Signals:
    """The signals that have come. Whoever waits for jobs looks here every now and then."""

    def __init__(self) -> None:
        self._received: list[tuple[int, float]] = []

    def note(self, number: int, frame: FrameType | None) -> None:
        """What the system calls."""
        self._received.append((number, time.monotonic()))

    @property
    def code(self) -> int:
        """The exit code that the first signal asks for; 0 when none has come."""
        return CODES[signal.Signals(self._received[0][0])] if self._received else 0

    @property
    def is_urgent(self) -> bool:
        """Whether a second signal has come: nothing is waited for any longer."""
        return bool(self._received) and self._received[-1][1] - self._received[0][1] > _ECHO

    def end_if_any(self) -> None:
        """End the main thread as the first signal asks for.

        Raises:
            KeyboardInterrupt: it was Ctrl-C.
            SystemExit: it was SIGTERM.
        """
        if self.code == TERMINATED:
            sys.exit(TERMINATED)
        if self.code:
            raise KeyboardInterrupt


@contextmanager
def noted_signals() -> Iterator[Signals]:
    """Signals that come during the body end nothing by themselves."""
    signals = Signals()
    before = {number: signal.signal(number, signals.note) for number in CODES}
    try:
        yield signals
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
