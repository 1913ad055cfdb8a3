"""Who runs a sweep, and whether it is to begin more jobs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ae_cls.errors import BusyError
from ae_cls.store.lock import Lock, Owner

GRACE = 10.0
"""Seconds that a job has to save what it has, once a signal ends the sweep."""

_LOG = logging.getLogger(__name__)
_CLAIM, _STOP = Path(".claims") / "sweep", ".stop"


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """The sweep belongs to this process alone.

    Raises:
        BusyError: a living process runs it.
    """
    lock = Lock(folder / _CLAIM)
    try:
        _refuse_second(lock, folder)
        with _free_to_begin(folder):
            yield
    finally:
        lock.release()


def _refuse_second(lock: Lock, folder: Path) -> None:
    if not lock.take():
        raise BusyError(
            "another process runs this sweep", where=str(folder), why=str(lock.owner()),
            fix=f"wait, or end that process; how far it is: ae-cls sweep-status {folder}",
        )  # fmt: skip


@contextmanager
def _free_to_begin(folder: Path) -> Iterator[None]:
    mark = folder / _STOP  # that a killed call may have left
    mark.unlink(missing_ok=True)
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def owner_of(folder: Path) -> Owner | None:
    """Who runs the sweep, or ran it last."""
    if not (folder / _CLAIM).is_file():
        return None
    lock = Lock(folder / _CLAIM)
    try:
        return lock.owner()
    finally:
        lock.release()


def stop(folder: Path) -> None:
    """Let no further job begin."""
    try:
        (folder / _STOP).touch()
    except OSError as error:
        _LOG.debug("%s", error)  # where there is no room for this, no job gets far


def is_stopped(folder: Path) -> bool:
    """Whether no further job may begin."""
    return (folder / _STOP).exists()
