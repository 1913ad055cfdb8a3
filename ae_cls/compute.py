"""Where, in which precision and on how many threads tensors are computed."""

import contextlib
import ctypes
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, final

import torch
from torch import Tensor

from ae_cls.errors import UsageError
from ae_cls.machine.threads import limit_threads
from ae_cls.processes.launch import card_of, launched
from ae_cls.processes.world import ALONE, World
from ae_cls.settings import Precision, Threads

# Numbers of <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGEST_KEPT = 2**27  # bytes of one buffer; a data set or a table of features goes back at once
_MOST_KEPT = 2**31 - 1  # bytes at the end of the heap; an int in the interface


@final
@dataclass(frozen=True)
class Compute:
    """A device and the type of its matrix products.

    Attributes:
        device: where models and batches live.
        precision: fp32, or bf16 matrix products with float32 weights and losses.
        world: the processes that compute together at the moment.
        most_threads: how many CPU threads there may be at most, where a stage takes as many of them
            as are fastest; None: their number is fixed.
    """

    device: torch.device
    precision: Literal["fp32", "bf16"]
    world: World = ALONE
    most_threads: int | None = None

    def on_all_threads(self) -> None:
        """Let a stage begin with as many threads as there may be."""
        if self.most_threads is not None:
            limit_threads(self.most_threads)

    def suited_to(self, *, allows_bf16: bool) -> "Compute":
        """The same for a network, which may need exact matrix products."""
        return self if allows_bf16 else replace(self, precision="fp32")

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The context in which forward passes run."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def staged(self, batch: Tensor) -> Tensor:
        """The batch in memory from which it goes to the device without a wait."""
        return batch.pin_memory() if self.device.type == "cuda" else batch


def start(device: str, precision: Precision, threads: Threads, world: World = ALONE) -> Compute:
    """Threads and device as asked for, the latter one of its own for each process of the world.

    Several processes share the cores, and none of them judges alone how many threads are fastest.

    Raises:
        UsageError: the device is not available, or there are fewer cards than processes.
    """
    keep_pages()
    if threads != "auto":
        limit_threads(threads)
    compute = resolve(device, precision, world)
    if compute.device.type == "cuda":
        sum_in_one_order()
    if threads == "auto" and compute.device.type == "cpu" and world.size == 1:
        return replace(compute, most_threads=torch.get_num_threads())
    return compute


def keep_pages() -> None:
    """Let this process keep the memory it has; does nothing where the C library is not glibc.

    glibc returns large buffers to the system when they are freed, and the system clears each page
    again. Keeping them made training of the default network 1.2 to 1.3 times as fast (two cores,
    bf16, batch 256, median of 25 steps, three times in turn), for 3 % more memory.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
    mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)


def resolve(device: str, precision: Precision, world: World = ALONE) -> Compute:
    """What `auto` means on this machine.

    Raises:
        UsageError: the device is not there, or there are fewer cards than processes.
    """
    chosen = _device(device)
    if world.size > 1 and chosen.type == "cuda":
        chosen = _own_card(chosen, world)
    if precision == "auto":
        precision = "bf16" if multiplies_bf16(chosen) else "fp32"
    return Compute(chosen, precision)


def sum_in_one_order() -> None:
    """Let cuDNN and cuBLAS take algorithms that give the same bytes each time.

    Without this, weight gradients of convolutions are summed in the order in which threads finish.
    """
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    # Read when a process first multiplies matrices on its card (cuBLAS, Results reproducibility).
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def _own_card(chosen: torch.device, world: World) -> torch.device:
    """One card for each process of this machine."""
    cards = torch.cuda.device_count()
    card = card_of(launched(os.environ), world, cards)
    if card is None or chosen.index is not None:
        raise UsageError(
            f"{world.local_size} processes need a card each, and {chosen} gives them "
            f"{cards if chosen.index is None else 1}",
            where="devices, device",
            fix=f"devices={cards} device=cuda, or device=cpu",
        )
    torch.cuda.set_device(card)
    return torch.device("cuda", card)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(
            f"{name} is not available on this machine",
            where="device", why="torch sees no CUDA device", fix="device=cpu or device=auto",
        )  # fmt: skip
    return torch.device(name)


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies bf16 matrices itself; emulated, it would be slower."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)  # Ampere
    return device.type == "cpu" and bool({"amx_bf16", "avx512_bf16"} & _cpu_flags())


def _cpu_flags() -> set[str]:
    return set(_cpu_field("flags").split())


def _cpu_field(name: str) -> str:
    """What Linux says of the first processor; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def describe(compute: Compute) -> dict[str, str | int]:
    """What environment.json says of the hardware; of threads, how many there may be."""
    return {
        "device": str(compute.device),
        "device_name": _device_name(compute.device),
        "precision": compute.precision,
        "threads": compute.most_threads or torch.get_num_threads(),
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _cpu_field("model name") or "cpu"
