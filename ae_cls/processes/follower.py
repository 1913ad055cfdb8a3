"""A process that is not the first: it waits for a call, answers it with all, and waits again."""

import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

import torch
import torch.distributed as distributed
from tqdm import tqdm

from ae_cls.errors import TrainingError
from ae_cls.machine.threads import threads_limited
from ae_cls.processes.launch import cores_of, launched
from ae_cls.processes.rendezvous import (
    LOOPBACK,
    Rendezvous,
    connect,
    disconnect,
    is_lost_connection,
    rendezvous_at,
    rendezvous_of,
)

FAILED = "failed"
_LOOK_EVERY = timedelta(seconds=60)


def task_name(number: int) -> str:
    """Under which the store holds a task."""
    return f"task/{number}"


@contextmanager
def calls_of_the_leader(device: torch.device, threads: int | None) -> Iterator[Iterator[Any]]:
    """What the first process calls for, until it has no more.

    Raises:
        TrainingError: another process ended before its time.
    """
    launch = launched(os.environ)
    assert launch is not None and not launch.world.is_first
    with threads_limited(threads or cores_of(launch, launch.world)):
        try:
            store = rendezvous_of(launch)
            connect(launch.world, device, store)
            yield _tasks(store)
        except RuntimeError as error:
            if not is_lost_connection(error):
                raise
            raise TrainingError(
                "another process of this run has ended", why=str(error).partition("\n")[0],
                fix="see its own output",
            ) from error  # fmt: skip
        finally:
            disconnect()


def _tasks(store: Rendezvous) -> Iterator[Any]:
    number = 0
    while (task := json.loads(_waited_for(store, task_name(number)))) is not None:
        yield task
        number += 1


def _waited_for(store: Rendezvous, name: str) -> bytes:
    """However long it takes; but not longer than the first process lives."""
    while True:
        try:
            store.wait([name], _LOOK_EVERY)
            return store.get(name)
        except distributed.DistStoreError:
            continue


def begin(index: int, size: int, port: int, follow: Callable[[str], None], message: str) -> None:
    """A process that was started: it finds itself in the environment, as if torchrun had."""
    rank = index + 1
    os.environ |= {
        "RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": LOOPBACK, "MASTER_PORT": str(port),
    }  # fmt: skip
    fall_silent()
    leave_signals_to(os.getppid())
    try:
        follow(message)
    except Exception as error:
        if not is_lost_connection(error.__cause__):
            rendezvous_at(LOOPBACK, port, size).set(f"{FAILED}/{rank}", traceback.format_exc())
        sys.exit(1)


def fall_silent() -> None:
    """The first process alone speaks."""
    logging.getLogger("ae_cls").handlers[:] = [logging.NullHandler()]
    # A bar, even a silent one, would else make a semaphore that outlives a process that is killed.
    tqdm.set_lock(threading.RLock())


def leave_signals_to(first: int | None) -> None:
    """Ctrl-C reaches all, but the first process decides when the work is at a good place to end.

    The others then lose it, and end. `first` is its process id where that is this one's parent.
    """

    def end_when_orphaned(number: int, frame: FrameType | None) -> None:
        if first is not None and os.getppid() != first:
            os._exit(1)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_when_orphaned)
