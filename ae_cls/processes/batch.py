"""A batch that is spread over processes counts as one.

A loss that is a mean over samples needs nothing from here: the loop weighs each process's mean by
its samples. What is not, a ratio of sums or a clamp of a mean, takes its sums and means through
`batch_sum` and `batch_mean`, and what compares samples with one another takes all of them through
`batch_rows`. With one process these give back what they were given.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, final

import torch
import torch.distributed as distributed
from jaxtyping import Float
from torch import Tensor

from ae_cls.processes.world import World


@final
@dataclass(frozen=True)
class SharedBatch:
    """The batch at hand.

    Attributes:
        world: whose processes share it.
        own: samples of this process.
        count: samples of all.
    """

    world: World
    own: int
    count: int


_current: ContextVar[SharedBatch | None] = ContextVar("shared batch", default=None)


@contextmanager
def shared_batch(world: World, *, own: int, count: int) -> Iterator[None]:
    """Inside, a batch of `count` samples is at hand, of which this process has `own`.

    Nothing is shared when there is one process, or each has the whole batch (`World.share_of`):
    then each computes the whole loss, and the mean of their gradients is the gradient.
    """
    shared = SharedBatch(world, own, count) if own < count else None
    token = _current.set(shared)
    try:
        yield
    finally:
        _current.reset(token)


def current_batch() -> SharedBatch | None:
    """The batch at hand; None where it is not shared."""
    return _current.get()


def batch_sum(part: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The sum over the whole batch, of a sum over this process's samples."""
    if _current.get() is None:
        return part
    total = _Sum.apply(part)
    assert isinstance(total, Tensor)
    return total


def batch_mean(part: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The mean over the whole batch, of a mean over this process's samples."""
    shared = _current.get()
    return part if shared is None else batch_sum(part * (shared.own / shared.count))


def batch_rows(part: Float[Tensor, "b ..."]) -> Float[Tensor, "n ..."]:
    """The rows of the whole batch in order, of which `part` has those of this process's samples."""
    shared = _current.get()
    if shared is None:
        return part
    places = shared.world.share_of(torch.arange(shared.count)).to(part.device)
    whole = part.new_zeros(shared.count, *part.shape[1:])
    return batch_sum(whole.index_copy(0, places, part))


@final
class _Sum(torch.autograd.Function):
    """Each process's part moves the sum that all of them see, so its slope is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        return _reduced(part)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        return _reduced(slopes[0])


def _reduced(part: Tensor) -> Tensor:
    total = part.detach().clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total
