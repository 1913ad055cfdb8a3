"""Ctrl-C and SIGTERM: what must not be torn is ended first, then the process.

Signals are the process's own, so their state is, too: this is the one module that holds some.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED, TERMINATED = 130, 143
CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
_PATIENCE = 8.0  # seconds from the signal to the end; saving has to fit in
# Seconds: `timeout` and batch systems send a signal to a process and to its group, one after the
# other, and on a busy machine some time may lie between.
_ECHO = 0.2

_holds: list[None] = []
_waiting: list[tuple[int, float]] = []
_last_words: list[Callable[[int], None]] = []


def end_on_signals() -> None:
    """Let SIGINT and SIGTERM end the main thread by an exception; the second one ends at once.

    A call into C code that does not return is ended from outside after some seconds: everything
    that stands on the disk is whole at any time.
    """
    for number in CODES:
        signal.signal(number, _on_signal)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # Written to by the system's own handler, also while Python code cannot run.
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=[reader], name="signals", daemon=True).start()


@contextmanager
def held() -> Iterator[None]:
    """A signal that comes while the body runs is answered at its end."""
    _holds.append(None)
    try:
        yield
    finally:
        _holds.pop()
        if _waiting and not _holds:
            _end(_waiting[0][0])


@contextmanager
def last_words(say: Callable[[int], None]) -> Iterator[None]:
    """Call `say` with the exit code when the process is ended from outside during the body."""
    _last_words.append(say)
    try:
        yield
    finally:
        _last_words.remove(say)


def _on_signal(number: int, frame: FrameType | None) -> None:
    _waiting.append((number, time.monotonic()))
    if len(_waiting) == 1:
        if not _holds:
            _end(number)
    elif _waiting[-1][1] - _waiting[0][1] > _ECHO:
        os._exit(CODES[signal.Signals(number)])


def _end(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(TERMINATED)


def _watch(reader: int) -> None:
    while True:
        number = os.read(reader, 1)[0]
        if number in CODES:
            timer = threading.Timer(_PATIENCE, end_now, [CODES[signal.Signals(number)]])
            timer.daemon = True
            timer.start()


def end_with_parent() -> None:
    """End this process, which multiprocessing started, as soon as its parent has ended, however.

    Otherwise the workers of a killed process would wait for work for ever.
    """
    threading.Thread(target=_end_after_parent, name="parent", daemon=True).start()


def _end_after_parent() -> None:
    from multiprocessing import parent_process  # here, as `ae-cls --help` need not wait for it

    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def end_now(code: int) -> None:
    """End the process from another thread, after the last words."""
    for say in reversed(_last_words):
        say(code)
    os._exit(code)
