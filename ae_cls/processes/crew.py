"""The other processes, as the first one sees them: it calls them when there is work for all.

Between two calls the first one is on its own, for as long as it takes: fitting a head, writing. The
others wait at the store, which they notice to be gone when the first one is.
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
from ae_cls.processes.helper import FAILED, begin, task_name
from ae_cls.processes.launch import cores_of, launched
from ae_cls.processes.meeting import (
    READY,
    MeetingPlace,
    connect,
    disconnect,
    is_lost_connection,
    meeting_place,
    own_meeting_place,
    threads_limited,
)
from ae_cls.processes.world import World

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.05  # seconds
_UNTIL_DEAD = 10  # seconds that a process takes at most to end after its connections have closed
_UNTIL_NOTICED = 20  # seconds; a wait on the CPU notices at once
_UNTIL_DONE = 30  # seconds for the others to end after they were told that there is no more work


@contextmanager
def crew_of(
    world: World, device: torch.device, threads: int | None, other: Callable[[str], None], told: str
) -> Iterator["Crew"]:
    """The processes that work with this one, the first, until the block ends.

    Those that nobody has launched are started when they are first called.

    Args:
        world: of this process.
        device: where it computes.
        threads: of each process on the CPU; None: its share of the cores while all work.
        other: what the others do; a function of a module.
        told: what they are told.
    """
    crew = Crew(world, device, threads, other, told)
    try:
        if launched(os.environ):
            crew.meet()  # they are there already, and wait for it
        yield crew
        crew.dismiss()
    finally:
        crew.end()


@final
class Crew:
    """What the first process calls the others by. For arguments see `crew_of`."""

    def __init__(
        self,
        world: World,
        device: torch.device,
        threads: int | None,
        other: Callable[[str], None],
        told: str,
    ) -> None:
        self.world, self.device, self.threads = world, device, threads
        self.other, self.told = other, told
        self.store: MeetingPlace | None = None
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
                self._tell(task)
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
        if self.store is not None:
            return
        launch = launched(os.environ)
        self.store = self._started() if launch is None else meeting_place(launch)
        connect(self.world, self.device, self.store)

    def dismiss(self) -> None:
        """Let the others end in peace."""
        if self.store is None:
            return
        self._tell(None)
        deadline = time.monotonic() + _UNTIL_DONE
        for each in self.processes:
            each.join(max(0.0, deadline - time.monotonic()))

    def end(self) -> None:
        """No process is left; they hold nothing that is worth saving."""
        self.ended = True
        for each in self.processes:
            each.kill()
            each.join()
        disconnect()

    def _tell(self, task: Any) -> None:
        assert self.store is not None
        self.store.set(task_name(self.calls), json.dumps(task))
        self.calls += 1

    def _started(self) -> MeetingPlace:
        size = self.world.size
        self.store, port = own_meeting_place(self.world)
        context = spawn(begin, (size, port, self.other, self.told), size - 1, join=False)
        assert context is not None
        self.processes = list(context.processes)
        # Until all have read their data: torch would not notice that one has died before.
        while self.store.add(READY, 0) < len(self.processes):
            if any(each.exitcode is not None for each in self.processes):
                raise self._lost(None)
            time.sleep(_LOOK_EVERY)
        threading.Thread(target=self._watch, name="crew", daemon=True).start()
        return self.store

    def _watch(self) -> None:
        """End this process where it cannot notice that another is gone: waiting for its card."""
        alone_since = math.inf
        while not self.ended:
            time.sleep(_LOOK_EVERY)
            lost = self.at_work and any(each.exitcode is not None for each in self.processes)
            alone_since = min(alone_since, time.monotonic()) if lost else math.inf
            if time.monotonic() - alone_since > _UNTIL_NOTICED:
                error = self._lost(None)
                print(error.block(), file=sys.stderr, flush=True)
                end_now(error.code)

    def _lost(self, error: RuntimeError | None) -> TrainingError:
        """Which one was lost, and why; the others then lose their connections, and end too."""
        deadline = time.monotonic() + _UNTIL_DEAD
        while self.processes and time.monotonic() < deadline:
            for rank, process in enumerate(self.processes, start=1):
                if told := self._last_words_of(rank):
                    return _failed(rank, self.world.size, told)
                if (process.exitcode or 0) < 0:
                    by = signal.Signals(-process.exitcode)
                    return _killed(rank, self.world.size, process.pid, by)
            time.sleep(_LOOK_EVERY)
        return TrainingError(
            "another process of this run has ended, or no longer answers",
            why=str(error or "").partition("\n")[0],
        )

    def _last_words_of(self, rank: int) -> str:
        assert self.store is not None
        name = f"{FAILED}/{rank}"
        return self.store.get(name).decode() if self.store.check([name]) else ""


def _failed(rank: int, size: int, told: str) -> TrainingError:
    log.debug("process %d of %d:\n%s", rank, size, told)
    return TrainingError(
        f"process {rank} of {size} failed", why=told.strip().splitlines()[-1],
        fix="its traceback is in the run's log",
    )  # fmt: skip


def _killed(rank: int, size: int, pid: int, by: signal.Signals) -> TrainingError:
    return TrainingError(
        f"process {rank} of {size} was ended by {by.name}",
        where=f"process id {pid}",
        why="somebody sent it, or the system had no memory left" if by == signal.SIGKILL else "",
        fix="the same command again; where memory is short, fewer devices or a smaller batch_size",
    )
