"""Jobs are launched until each is accounted for, or a signal ends the sweep."""

import logging
import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import final

from ae_cls.cli.sweep_owner import GRACE, stop
from ae_cls.cli.sweep_record import Record, forget, keep_record, planned_jobs, record_of
from ae_cls.errors import AeClsError, UsageError
from ae_cls.interrupt import CODES, TERMINATED

_LOG = logging.getLogger(__name__)
_LOOK = 0.1  # seconds between two looks


def launch(hand_over: Callable[[], None], folder: Path) -> None:
    """Let a launcher have all jobs, again when it ends early: a killed worker takes a whole pool.

    A job that was under way then is begun once more; the second time it has died.

    Raises:
        UsageError: the launcher starts nothing.
        Exception: the launcher's own, when it gets no further.
    """
    lost: set[str] = set()
    left = -1  # jobs that waited when it ended last
    with stopped_by_signals(folder):
        while (error := _handed_over(hand_over)) is not None:
            if _count(folder, "waiting") == len(planned_jobs(folder)):
                raise UsageError("the launcher starts no job", why=_first_line(error)) from error
            _LOG.warning("the launcher ended early: %s", _first_line(error))
            if not _begin_again(folder, lost) and _count(folder, "waiting") == left:
                raise error
            left = _count(folder, "waiting")
        _wait_for_running(folder)


def _handed_over(hand_over: Callable[[], None]) -> Exception | None:
    """The launcher's own error, when it ended early."""
    try:
        hand_over()
    except AeClsError:
        raise
    except Exception as error:
        return error
    return None


def _begin_again(folder: Path, lost: set[str]) -> bool:
    """Forget what began and did not end, once; whether there was any of it."""
    _wait_for_running(folder, patience=GRACE)
    broken = [name for name, record in _records(folder) if record.is_cut_short]
    again = [name for name in broken if name not in lost]
    lost.update(again)
    for name in again:
        forget(folder, name)
    return bool(again)


def _wait_for_running(folder: Path, patience: float = float("inf")) -> None:
    deadline = time.monotonic() + patience
    while _count(folder, "running") and time.monotonic() < deadline:
        time.sleep(_LOOK)


def _count(folder: Path, state: str) -> int:
    return sum(record.state == state for _, record in _records(folder))


def _records(folder: Path) -> list[tuple[str, Record]]:
    return [(job.name, record_of(folder, job.name)) for job in planned_jobs(folder)]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


@contextmanager
def stopped_by_signals(folder: Path) -> Iterator[None]:
    """A signal that comes while the body runs ends the jobs under way, then the sweep."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = _Stop(folder)
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@final
class _Stop:
    """Passes a signal on to the jobs, gives them time to save, and ends the sweep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_stopping = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        stop(self.folder)
        if self.is_stopping:  # the second one: jobs end at once
            _send(number, [record for _, record in _running_here(self.folder)])
            return
        self.is_stopping = True
        _LOG.warning("no further job begins; those under way save what they have")
        self._end_all(number)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(TERMINATED)

    def _end_all(self, number: int) -> None:
        told: set[str] = set()
        deadline = time.monotonic() + GRACE
        while (running := _running_here(self.folder)) and time.monotonic() < deadline:
            # Also to what began meanwhile.
            _send(number, [record for name, record in running if name not in told])
            told |= {name for name, _ in running}
            _look_again()
        _send(signal.SIGKILL, [record for _, record in running])
        _look_again()
        for name in told:
            _keep_stopped(self.folder, name, CODES[signal.Signals(number)])


def _look_again() -> None:
    time.sleep(_LOOK)
    multiprocessing.active_children()  # as long as nobody asks, the dead of our own seem alive


def _send(number: int, records: Sequence[Record]) -> None:
    for record in records:
        assert record.owner is not None
        try:
            os.kill(record.owner.process, number)
        except ProcessLookupError:
            continue  # it ended just now


def _keep_stopped(folder: Path, name: str, code: int) -> None:
    """Say that a signal ended the job where it could not say so itself."""
    record = record_of(folder, name)
    if record.state in {"died", "running"}:
        run = Path(record.folder) if record.folder else folder / name
        reason = f"killed: it did not end within {GRACE:.0f} s"
        keep_record(folder, name, Record("stopped", code=code, reason=reason), run, 0.0)


def _running_here(folder: Path) -> list[tuple[str, Record]]:
    """Jobs on other machines are not ended: a cluster has its own words for that."""
    return [
        (name, record)
        for name, record in _records(folder)
        if record.state == "running" and record.owner and record.owner.host == platform.node()
    ]
