"""The waiting side of a job: it has a process of its own, and how that ends is written down here.

Nothing here imports torch: a launcher's worker only waits, and the processes that it starts are
forked from a server that has imported everything once.
"""

import logging
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import threading
import time
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ae_cls.cli.sweep_owner import GRACE, is_stopped, owner_of, stop
from ae_cls.cli.sweep_record import (
    Conditions,
    Record,
    conditions_of,
    keep_death,
    planned_jobs,
    record_of,
)
from ae_cls.errors import StorageError
from ae_cls.store.lock import Owner, this_process

Context = ForkServerContext | SpawnContext | ForkContext
_LOG = logging.getLogger(__name__)
_LOOK_EVERY = 1.0  # seconds
# What a job imports sooner or later.
_IMPORTED = [
    "ae_cls.cli.sweep_job", "ae_cls.run.figures", "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg", "sklearn.manifold", "torch._dynamo",
]  # fmt: skip


def import_ahead() -> None:
    """Let the process that jobs are forked from import what they need, while other work is done."""
    if context().get_start_method() == "forkserver":
        # While it imports, Ctrl-C at the terminal would end it with a traceback.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        multiprocessing.forkserver.ensure_running()
        signal.signal(signal.SIGINT, before)


def run_in_sweep(command: str, plain: dict[str, Any], sweep: Path) -> Record | None:
    """Do what is missing of one job; how it went, None when the sweep is to begin no more jobs.

    Whatever ends the job's process ends this job alone; a full disk or a signal ends the sweep.
    """
    if is_stopped(sweep):
        return None
    if owner_of(sweep) != this_process():
        _serve_only(sweep)
    conditions = conditions_of(sweep)
    name, end = _carried_out(command, plain, sweep, conditions)
    record = _settled(sweep, name, end)
    if record.code == StorageError.code:
        stop(sweep)
    elif record.state == "died" or conditions.quiet:
        _say(sweep, name, record)
    return record


@cache
def _serve_only(sweep: Path) -> None:
    """In a launcher's worker: it ends with the owner of the sweep, and leaves Ctrl-C to it."""
    # Ctrl-C reaches all processes of a terminal; the owner of the sweep passes it on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # joblib's workers would wait for ever for a parent that was killed.
    threading.Thread(target=_end_after, args=(sweep, owner_of(sweep)), daemon=True).start()


def _end_after(sweep: Path, owner: Owner | None) -> None:
    while owner is not None and not owner.is_gone():
        time.sleep(_LOOK_EVERY)
    time.sleep(GRACE)  # the jobs see it, too, and save what they have
    os._exit(0)


def _carried_out(
    command: str, plain: dict[str, Any], sweep: Path, conditions: Conditions
) -> tuple[str, int]:
    """The job's name, empty when its process ended before it knew; and how that ended."""
    heard, tell = context().Pipe(duplex=False)
    process = context().Process(target=_begin, args=(command, plain, sweep, conditions, tell))
    process.start()
    tell.close()
    with heard:
        try:
            name = _heard(heard)
            process.join()
        finally:
            _end(process)
    end = process.exitcode or 0
    process.close()  # a thousand jobs must not hold a thousand files open
    return name, end


@cache
def context() -> Context:
    """How processes start: forked from one that has imported everything and has no threads."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(_IMPORTED)
    return found


def _begin(
    command: str, plain: dict[str, Any], sweep: Path, conditions: Conditions, tell: Connection
) -> None:
    from ae_cls.cli.sweep_job import carry_out  # here, as it imports torch

    carry_out(command, plain, sweep, conditions, lambda name: tell.send_bytes(name.encode()))


def _heard(connection: Connection) -> str:
    try:
        return connection.recv_bytes().decode()
    except EOFError:
        return ""


def _end(process: BaseProcess) -> None:
    """Nothing is left running, also when the wait was broken off."""
    if process.is_alive():
        process.terminate()
        process.join(GRACE)
        process.kill()
        process.join()


def _settled(sweep: Path, name: str, end: int) -> Record:
    """The job's record, written here when its process could not."""
    if not name:
        _LOG.error("a job's process %s before it had begun", _how(end))
        return Record("died", reason=f"its process {_how(end)}")
    record = record_of(sweep, name)
    if record.state in {"died", "waiting"} and not is_stopped(sweep):
        keep_death(sweep, name, f"its process {_how(end)}")
        return record_of(sweep, name)
    return record


def _how(end: int) -> str:
    if end >= 0:
        return f"ended with exit code {end} and without results"
    name = signal.Signals(-end).name
    return f"was killed by {name}" + (" (out of memory?)" if -end == signal.SIGKILL else "")


def _say(sweep: Path, name: str, record: Record) -> None:
    words = next((job.words for job in planned_jobs(sweep) if job.name == name), ())
    reason = f": {record.reason}" if record.reason else f" in {record.seconds:.1f} s"
    _LOG.info("%s: %s%s", " ".join(words), record.in_words, reason)
