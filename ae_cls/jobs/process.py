"""A job's process, seen from outside: how it starts and how it ended.

Nothing here imports torch: whoever waits for jobs does no more than that, and the processes are
forked from a server that has imported everything once.
"""

import multiprocessing
import multiprocessing.forkserver
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from ae_cls.jobs.record import Job
from ae_cls.jobs.work import Conditions, Work

# What a job imports sooner or later.
_IMPORTED = [
    "ae_cls.jobs.worker", "ae_cls.run.figures", "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg", "sklearn.manifold", "torch._dynamo",
]  # fmt: skip
# Ctrl-C at the terminal reaches the server, too, and the warning of a time limit all processes of a
# cluster's job: those who wait pass on what is meant for a job.
_NOT_FOR_JOBS = (signal.SIGINT, signal.SIGUSR2)


def import_ahead() -> None:
    """Let the process that jobs are forked from import what they need, while other work is done."""
    context()
    with _ignored_by_children():
        multiprocessing.forkserver.ensure_running()


@cache
def context() -> ForkServerContext:
    """How processes start: forked from one that has imported everything and has no threads."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(_IMPORTED)
    return found


def start(work: Work, job: Job, conditions: Conditions) -> BaseProcess:
    """The process of a job, which has begun."""
    process = context().Process(
        target=_begin, args=(work.command, job, work.folder.path, conditions), name=job.name
    )
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    """End a job's process, and those that it has started."""
    assert process.pid is not None
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # it does not lead a group yet, or has ended
        process.kill()


def how_ended(code: int) -> str:
    """What is said of a process that ended with this code and wrote nothing down."""
    if code >= 0:
        return f"its process ended with exit code {code} and without results"
    name = signal.Signals(-code).name
    return f"its process was killed by {name}" + (
        " (out of memory?)" if -code == signal.SIGKILL else ""
    )


def _begin(command: str, job: Job, folder: Path, conditions: Conditions) -> None:
    from ae_cls.jobs.worker import work_alone  # here, as it imports torch

    work_alone(command, job, folder, conditions)


@contextmanager
def _ignored_by_children() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _NOT_FOR_JOBS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
