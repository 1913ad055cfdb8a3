"""Where the processes of a world meet, and how one learns that another is gone."""

# pyright: reportPrivateImportUsage=false
# torch documents its stores here, but does not list them.

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as distributed
from torch.distributed import PrefixStore, Store, TCPStore

from ae_cls.errors import UsageError
from ae_cls.processes.launch import Launch, launched
from ae_cls.processes.world import World

LOOPBACK = "127.0.0.1"
READY = "ready"
Rendezvous = Store
"""Where processes leave each other short messages."""
# One that dies closes its connections, and the others know at once; this is for a machine that
# vanishes, and must be longer than what one process may do while the others wait for it.
PATIENCE = timedelta(minutes=30)


def world_of(devices: int) -> World:
    """The world of this process: its launcher's, or `devices` processes of which it is the first.

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


def connect(world: World, device: torch.device, store: Rendezvous) -> None:
    """Let the processes send tensors to each other; it takes all of them."""
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    with _interface(world):
        distributed.init_process_group(
            backend, store=store, rank=world.rank, world_size=world.size, timeout=PATIENCE
        )


def disconnect() -> None:
    """Nothing is sent any more."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def rendezvous_of(launch: Launch) -> Rendezvous:
    """The store of processes that were launched; torchrun itself may keep it."""
    listens = launch.world.is_first and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    store = rendezvous_at(launch.host, launch.port, launch.world.size, listens)
    store.add(READY, 1)
    return store


def rendezvous_at(host: str, port: int, size: int, listens: bool = False) -> Rendezvous:
    """The store at that address, of `size` processes; `listens` where this one keeps it."""
    return _of_this_attempt(TCPStore(host, port, size, listens, PATIENCE, wait_for_workers=False))


def own_rendezvous(world: World) -> tuple[Rendezvous, int]:
    """A store for processes of this machine alone, and its port."""
    listening = socket.create_server((LOOPBACK, 0))
    port = listening.getsockname()[1]
    store = TCPStore(
        LOOPBACK, port, world.size, True, PATIENCE, wait_for_workers=False,
        master_listen_fd=listening.detach(),
    )  # fmt: skip
    return _of_this_attempt(store), port


def _of_this_attempt(store: Rendezvous) -> Rendezvous:
    """torchrun may start all anew, and then its store remembers what was said before."""
    return PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)


@contextmanager
def _interface(world: World) -> Iterator[None]:
    """One machine talks to itself by its loopback: its name may resolve to nothing."""
    variable = "GLOO_SOCKET_IFNAME"
    loopback = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    if variable in os.environ or world.size > world.local_size or not loopback:
        yield
        return
    os.environ[variable] = loopback[0]
    try:
        yield
    finally:
        del os.environ[variable]


def is_lost_connection(error: BaseException | None) -> bool:
    """Whether torch says that another process is gone; gloo has no class for its errors."""
    gone = isinstance(error, distributed.DistError)
    return gone or (isinstance(error, RuntimeError) and "gloo/" in str(error))
