"""Starting the other processes on this machine, meeting them, and saying which one was lost."""

import logging
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import wait
from types import FrameType
from typing import final

import torch
import torch.distributed as distributed
from threadpoolctl import threadpool_limits
from torch.multiprocessing.spawn import ProcessContext, spawn

from ae_cls.errors import TrainingError, UsageError
from ae_cls.processes.launch import Launch, cores_of, launched
from ae_cls.processes.world import World

log = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"
# One that dies closes its connections, and the others know at once; this is for a machine that
# vanishes, and must be longer than what one process may do while the others wait for it.
_PATIENCE = timedelta(minutes=30)
_UNTIL_DEAD = 10  # seconds that a process takes at most to end after its connections have closed
_UNTIL_DONE = 30  # seconds for the others to end after the last thing they do together
_READY, _FAILED = "ready", "failed"


def world_of(devices: int) -> World:
    """The world of this process: its launcher's, or `devices` processes that `together` starts.

    Raises:
        UsageError: a launcher has started another number.
    """
    launch = launched(os.environ)
    if launch is None:
        return World(0, devices, 0, devices)
    if devices not in {1, launch.world.size}:
        raise UsageError(
            f"devices={devices}, but this is one of {launch.world.size} processes",
            where="devices",
            why="torchrun or srun has started them, and devices=N would start others",
            fix="leave devices out",
        )
    return launch.world


@contextmanager
def together(
    world: World, device: torch.device, threads: int | None, other: Callable[[str], None], told: str
) -> Iterator[None]:
    """Inside, all processes of the world are there and can talk to each other.

    Args:
        world: of this process, as `world_of` gives it.
        device: where this process computes.
        threads: of each process on the CPU; None: its share of the cores.
        other: what the others do, where none has been launched yet; a function of a module.
        told: what they are told.

    Raises:
        TrainingError: another process ended before its time.
    """
    if world.size == 1:
        yield
        return
    launch = launched(os.environ)
    with _threads(threads or cores_of(launch, world)), _interface(world):
        if launch is None:
            with _started(world, other, told) as store, _connected(world, device, store):
                yield
        else:
            with _lost_process_told(), _connected(world, device, _store_of(launch)):
                yield


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _interface(world: World) -> Iterator[None]:
    """One machine talks to itself by its loopback: its name may resolve to nothing."""
    name = "GLOO_SOCKET_IFNAME"
    loopback = [each for _, each in socket.if_nameindex() if each.startswith("lo")]
    if name in os.environ or world.size > world.local_size or not loopback:
        yield
        return
    os.environ[name] = loopback[0]
    try:
        yield
    finally:
        del os.environ[name]


@contextmanager
def _connected(world: World, device: torch.device, store: distributed.Store) -> Iterator[None]:
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(
        backend, store=store, rank=world.rank, world_size=world.size, timeout=_PATIENCE
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _store_of(launch: Launch) -> distributed.Store:
    """Where processes that were launched meet; torchrun listens itself, and may start them anew."""
    world, environment = launch.world, os.environ
    listens = world.is_first and environment.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    store = distributed.TCPStore(
        launch.host, launch.port, world.size, listens, _PATIENCE, wait_for_workers=False
    )
    store.add(_READY, 1)
    return distributed.PrefixStore(environment.get("TORCHELASTIC_RESTART_COUNT", "0"), store)


@contextmanager
def _lost_process_told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if not is_lost_connection(error):
            raise
        raise TrainingError(
            "another process of this run has ended", why=str(error).splitlines()[0],
            fix="its own output says why",
        ) from error  # fmt: skip


def is_lost_connection(error: RuntimeError) -> bool:
    """Whether torch says that another process is gone; gloo has no class for its errors."""
    return isinstance(error, distributed.DistError) or "gloo/" in str(error)


@contextmanager
def _started(world: World, other: Callable[[str], None], told: str) -> Iterator[distributed.Store]:
    """The other processes, from here on until the block ends."""
    listening = socket.create_server((_LOOPBACK, 0))
    port = listening.getsockname()[1]
    store = distributed.TCPStore(
        _LOOPBACK, port, world.size, True, _PATIENCE, wait_for_workers=False,
        master_listen_fd=listening.detach(),
    )  # fmt: skip
    context = spawn(_begin, (world.size, port, other, told), world.size - 1, join=False)
    assert context is not None
    others = _Others(context, store)
    try:
        others.wait_until_ready()
        yield distributed.PrefixStore("0", store)
        others.wait_until_done()
    except RuntimeError as error:
        if not is_lost_connection(error):
            raise
        raise others.lost() from error
    finally:
        others.end()


@final
class _Others:
    """The processes that this one has started: those of rank 1 and up."""

    def __init__(self, context: ProcessContext, store: distributed.Store) -> None:
        self.processes, self.store = context.processes, store

    def wait_until_ready(self) -> None:
        """Until all have loaded their data: before, torch would not notice that one has died."""
        while self.store.add(_READY, 0) < len(self.processes):
            if wait([each.sentinel for each in self.processes], timeout=0.05):
                raise self.lost()

    def wait_until_done(self) -> None:
        deadline = time.monotonic() + _UNTIL_DONE
        for each in self.processes:
            each.join(max(0.0, deadline - time.monotonic()))

    def lost(self) -> TrainingError:
        """Which one was lost, and why: the others lose their connections, and end after it."""
        wait([each.sentinel for each in self.processes], _UNTIL_DEAD)
        count = len(self.processes) + 1
        for rank, process in enumerate(self.processes, start=1):
            if self.store.check([f"{_FAILED}/{rank}"]):
                return _failed(rank, count, self.store.get(f"{_FAILED}/{rank}").decode())
        for rank, process in enumerate(self.processes, start=1):
            if process.exitcode is not None and process.exitcode < 0:
                return _killed(rank, count, process.pid, signal.Signals(-process.exitcode))
        return TrainingError(f"one of {count} processes no longer answers")

    def end(self) -> None:
        """They hold nothing that is worth saving."""
        for each in self.processes:
            each.kill()
            each.join()


def _failed(rank: int, count: int, told: str) -> TrainingError:
    log.debug("process %d of %d:\n%s", rank, count, told)
    return TrainingError(
        f"process {rank} of {count} failed", why=told.strip().splitlines()[-1],
        fix="its traceback is in the run's log",
    )  # fmt: skip


def _killed(rank: int, count: int, pid: int | None, by: signal.Signals) -> TrainingError:
    return TrainingError(
        f"process {rank} of {count} was ended by {by.name}",
        where=f"process id {pid}",
        why="somebody sent it, or the system had no memory left" if by == signal.SIGKILL else "",
        fix="the same command again; where memory is short, fewer devices or a smaller batch_size",
    )


def _begin(index: int, size: int, port: int, other: Callable[[str], None], told: str) -> None:
    """A process that was started: it finds itself in the environment, as if torchrun had."""
    rank = index + 1
    os.environ |= {
        "RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": _LOOPBACK, "MASTER_PORT": str(port),
    }  # fmt: skip
    logging.getLogger().addHandler(logging.NullHandler())  # the first alone speaks
    _leave_signals_to(os.getppid())
    try:
        other(told)
    except Exception as error:
        if not _is_echo(error):
            store = distributed.TCPStore(_LOOPBACK, port, size, False)
            store.set(f"{_FAILED}/{rank}", traceback.format_exc())
        sys.exit(1)


def _leave_signals_to(parent: int) -> None:
    """A terminal sends its signals to all; the first one decides, and a dead one decides nothing."""

    def end_when_orphaned(number: int, frame: FrameType | None) -> None:
        if os.getppid() != parent:
            os._exit(1)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_when_orphaned)


def _is_echo(error: Exception) -> bool:
    """Whether it only says that another process had ended before."""
    cause = error.__cause__
    return isinstance(cause, RuntimeError) and is_lost_connection(cause)
