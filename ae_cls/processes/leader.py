"""The first process, the leader, calls the others, its followers, when there is work for all.

Between two calls it works alone, for as long as that takes: fitting a head, writing. The followers
wait at the rendezvous, and notice when it is gone.
"""

import json
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, final

import torch
from torch.multiprocessing.spawn import spawn

from ae_cls.errors import TrainingError
from ae_cls.interrupt import end_now
from ae_cls.machine.threads import threads_limited
from ae_cls.processes.follower import FAILED, begin, task_name
from ae_cls.processes.launch import cores_of, launched
from ae_cls.processes.rendezvous import (
    READY,
    Rendezvous,
    connect,
    disconnect,
    is_lost_connection,
    own_rendezvous,
    rendezvous_of,
)
from ae_cls.processes.world import World

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.05  # seconds
_UNTIL_DEAD = 10  # seconds that a process takes at most to end after its connections have closed
_UNTIL_NOTICED = 20  # seconds; a wait on the CPU notices at once
_UNTIL_DONE = 30  # seconds for the others to end after the last call


@contextmanager
def followers_of(
    world: World,
    device: torch.device,
    threads: int | None,
    follow: Callable[[str], None],
    message: str,
) -> Iterator["Followers"]:
    """The processes that work with this one, until the block ends.

    Unless a launcher has started them, they start when they are first called.

    Args:
        world: of this process.
        device: where it computes.
        threads: of each process on the CPU; None: its share of the cores while all work.
        follow: what a follower does; a function of a module.
        message: its argument.
    """
    followers = Followers(world, device, threads, follow, message)
    try:
        if launched(os.environ):
            followers.meet()  # they are running already, and wait for it
        yield followers
        followers.dismiss()
    finally:
        followers.end()


@final
class Followers:
    """What the leader calls the others through. For arguments see `followers_of`."""

    def __init__(
        self,
        world: World,
        device: torch.device,
        threads: int | None,
        follow: Callable[[str], None],
        message: str,
    ) -> None:
        self.world, self.device, self.threads = world, device, threads
        self.follow, self.message = follow, message
        self.rendezvous: Rendezvous | None = None
        self.processes: list[Any] = []  # of multiprocessing, which has no public type for them
        self.calls = 0
        self.at_work, self.ended = False, False

    @contextmanager
    def called(self, task: Any) -> Iterator[None]:
        """Inside, all processes do the task, which JSON can hold.

        Raises:
            TrainingError: another process ended before its time.
        """
        if self.world.size == 1:
            yield
            return
        launch = launched(os.environ)
        with threads_limited(self.threads or cores_of(launch, self.world)):
            try:
                self.meet()
                self._announce(task)
                self.at_work = True
                yield
            except RuntimeError as error:
                if not is_lost_connection(error):
                    raise
                raise self._lost(error) from error
            finally:
                self.at_work = False

    def meet(self) -> None:
        """Start the others, where nobody has, and connect to them."""
        if self.rendezvous is not None:
            return
        launch = launched(os.environ)
        self.rendezvous = self._started() if launch is None else rendezvous_of(launch)
        connect(self.world, self.device, self.rendezvous)

    def dismiss(self) -> None:
        """Let the others end in peace."""
        if self.rendezvous is None:
            return
        self._announce(None)
        deadline = time.monotonic() + _UNTIL_DONE
        for process in self.processes:
            process.join(max(0.0, deadline - time.monotonic()))

    def end(self) -> None:
        """No process is left; they hold nothing that is worth saving."""
        self.ended = True
        for process in self.processes:
            process.kill()
            process.join()
        disconnect()

    def _announce(self, task: Any) -> None:
        assert self.rendezvous is not None
        self.rendezvous.set(task_name(self.calls), json.dumps(task))
        self.calls += 1

    def _started(self) -> Rendezvous:
        size = self.world.size
        self.rendezvous, port = own_rendezvous(self.world)
        context = spawn(begin, (size, port, self.follow, self.message), size - 1, join=False)
        assert context is not None
        self.processes = list(context.processes)
        # Until all have read their data: torch would not notice that one has died before.
        while self.rendezvous.add(READY, 0) < len(self.processes):
            if self._has_lost_one():
                raise self._lost(None)
            time.sleep(_LOOK_EVERY)
        threading.Thread(target=self._watch, name="followers", daemon=True).start()
        return self.rendezvous

    def _watch(self) -> None:
        """End this process where it cannot notice that another is gone: waiting for its card."""
        alone_since = math.inf
        while not self.ended:
            time.sleep(_LOOK_EVERY)
            lost = self.at_work and self._has_lost_one()
            alone_since = min(alone_since, time.monotonic()) if lost else math.inf
            if time.monotonic() - alone_since > _UNTIL_NOTICED:
                error = self._lost(None)
                print(error.block(), file=sys.stderr, flush=True)
                end_now(error.code)

    def _has_lost_one(self) -> bool:
        return any(process.exitcode is not None for process in self.processes)

    def _lost(self, error: RuntimeError | None) -> TrainingError:
        """Which one was lost, and why; the others then lose their connections, and end too."""
        deadline = time.monotonic() + _UNTIL_DEAD
        while self.processes and time.monotonic() < deadline:
            for rank, process in enumerate(self.processes, start=1):
                if last_words := self._last_words_of(rank):
                    return _failed(rank, self.world.size, last_words)
                if (process.exitcode or 0) < 0:
                    by = signal.Signals(-process.exitcode)
                    return _killed(rank, self.world.size, process.pid, by)
            time.sleep(_LOOK_EVERY)
        return TrainingError(
            "another process of this run has ended, or no longer answers",
            why=str(error or "").partition("\n")[0],
        )

    def _last_words_of(self, rank: int) -> str:
        assert self.rendezvous is not None
        name = f"{FAILED}/{rank}"
        return self.rendezvous.get(name).decode() if self.rendezvous.check([name]) else ""


def _failed(rank: int, size: int, last_words: str) -> TrainingError:
    log.debug("process %d of %d:\n%s", rank, size, last_words)
    return TrainingError(
        f"process {rank} of {size} failed", why=last_words.strip().splitlines()[-1],
        fix="its traceback is in the run's log",
    )  # fmt: skip


def _killed(rank: int, size: int, pid: int, by: signal.Signals) -> TrainingError:
    return TrainingError(
        f"process {rank} of {size} was ended by {by.name}",
        where=f"process id {pid}",
        why="it was sent from outside, or the system ran out of memory"
        if by == signal.SIGKILL
        else "",
        fix="repeat the command; if memory is short, with fewer devices or a smaller batch_size",
    )
