"""A job's process, seen from outside: how it starts and how it ended.

Nothing here imports torch: whoever waits for jobs does no more than that, and the processes are
forked from a server that has imported everything once.
"""

import json
import multiprocessing
import multiprocessing.forkserver
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from ae_cls.errors import TrainingError
from ae_cls.interrupt import end_with_parent

# What a job imports sooner or later.
_IMPORTED = [
    "ae_cls.jobs.server", "ae_cls.jobs.worker", "ae_cls.run.figures",
    "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "sklearn.manifold",
]  # fmt: skip
# What a terminal sends to all processes in front of it, `timeout` to all of a group, and a cluster
# before a time limit, to all of its job. The server outlives the jobs: it reports how they end.
_NOT_FOR_SERVER = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)


def import_ahead() -> None:
    """Let the process that jobs are forked from import what they need, while other work is done."""
    context()  # says what to import
    with _blocked():
        multiprocessing.forkserver.ensure_running()


@cache
def context() -> BaseContext:
    """How processes start: forked from one that has imported everything and has no threads."""
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(_IMPORTED)
    return forkserver


def begin(work: Callable[..., None], *args: Any) -> BaseProcess:
    """A process that calls `work`, which may import torch at once."""
    process = context().Process(target=work, args=args)  # pyright: ignore[reportAttributeAccessIssue]
    process.start()
    return process


def answer_of(work: Callable[..., Any], *args: Any) -> Any:
    """What `work` gives, as JSON holds it, in a process that has torch; this one needs none.

    Raises:
        TrainingError: the process ended without an answer.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)
    asked = begin(_answer, work, args, sender)
    sender.close()
    with receiver, _killed_if_not_awaited(asked):
        try:
            answer = receiver.recv_bytes()
        except EOFError:
            answer = None
        code, _ = end(asked)
    if answer is None:
        raise TrainingError("the jobs could not be checked", why=how_ended(code))
    return json.loads(answer)


def _answer(work: Callable[..., Any], args: tuple[Any, ...], sender: Connection) -> None:
    end_with_parent()
    answer = json.dumps(work(*args)).encode()
    with suppress(BrokenPipeError):  # whoever asked has been interrupted
        sender.send_bytes(answer)


@contextmanager
def _killed_if_not_awaited(process: BaseProcess) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        process.kill()
        raise


def end(process: BaseProcess) -> tuple[int, int]:
    """Exit code and number of a process that is ending: a thousand must hold no files open."""
    process.join()
    code, number = process.exitcode or 0, process.pid or 0
    process.close()
    return code, number


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


def take_signals() -> None:
    """Let signals come to this process, from which the server that forked it keeps them."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _NOT_FOR_SERVER)


@contextmanager
def _blocked() -> Iterator[None]:
    """What is started in the body never gets these signals; this process gets them behind it."""
    resource_tracker.ensure_running()  # which would let them in again as it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_FOR_SERVER)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
