"""Batch norm over a batch that is spread over processes, on CPU and GPU.

torch's SyncBatchNorm refuses tensors on the CPU. Ioffe & Szegedy 2015, arXiv 1502.03167. Means and
variances of the parts are put together as Chan, Golub & LeVeque 1983 do (Algorithms for computing
the sample variance, The American Statistician 37), which loses no digits to large means.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, final

import torch
import torch.distributed as distributed
import torch.nn.functional as functional
from jaxtyping import Float, Float64
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ae_cls.processes.batch import SharedBatch, current_batch
from ae_cls.processes.world import World


@contextmanager
def norms_over_processes(network: nn.Module) -> Iterator[None]:
    """Inside, the network's batch norms see the whole of a shared batch.

    The modules stay the same ones: their parameters, buffers and names are untouched.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        over = _over_processes(norm, norm.forward)
        norm.forward = over  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _over_processes(
    norm: _BatchNorm, alone: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    def forward(input: Float[Tensor, "b c *sides"]) -> Float[Tensor, "b c *sides"]:
        shared = current_batch()
        uses_batch = norm.training or norm.running_mean is None
        if shared is None or not uses_batch:
            return alone(input)
        applied = _OverProcesses.apply(input, norm.weight, norm.bias, norm.eps, shared)
        assert isinstance(applied, tuple)
        output, count, mean, variance = applied
        if norm.training and norm.track_running_stats:
            _remember(norm, count, mean, variance)
        return output

    return forward


def _remember(norm: _BatchNorm, count: Tensor, mean: Tensor, variance: Tensor) -> None:
    """Move the running buffers as torch does: with the unbiased variance."""
    assert norm.num_batches_tracked is not None
    assert norm.running_mean is not None and norm.running_var is not None
    norm.num_batches_tracked.add_(1)
    momentum = norm.momentum
    if momentum is None:  # the mean of all batches
        momentum = 1 / int(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean.to(norm.running_mean), momentum)
    norm.running_var.lerp_((variance * count / (count - 1)).to(norm.running_var), momentum)


@final
class _OverProcesses(torch.autograd.Function):
    """Output, then count, mean and biased variance of each channel over the whole batch."""

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
        shared: SharedBatch,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        count, mean, variance = _of_whole_batch(values, shared.world)
        exact = _exact(values).dtype
        mean, inverse = mean.to(exact), (variance + eps).rsqrt().to(exact)
        ctx.save_for_backward(values, weight, count, mean, inverse)
        output = functional.batch_norm(values, mean, variance.to(exact), weight, bias, eps=eps)
        ctx.mark_non_differentiable(count, mean, variance)
        return output, count, mean, variance

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        values, weight, count, mean, inverse = ctx.saved_tensors
        slope, dims = _exact(slopes[0]), _all_but_channels(values)
        normed = (_exact(values) - _wide(mean, values)).mul_(_wide(inverse, values))
        own = torch.stack([slope.sum(dims), (slope * normed).sum(dims)])
        whole = own.clone()
        distributed.all_reduce(whole)
        mean_slope, mean_pull = (whole / count).to(slope.dtype)
        scale = inverse if weight is None else inverse * weight
        inner = slope - _wide(mean_slope, values) - normed.mul_(_wide(mean_pull, values))
        inner = inner.mul_(_wide(scale, values)).to(values.dtype)
        none = weight is None
        return inner, None if none else own[1], None if none else own[0], None, None


def _of_whole_batch(
    values: Float[Tensor, "b c *sides"], world: World
) -> tuple[Float64[Tensor, ""], Float64[Tensor, " c"], Float64[Tensor, " c"]]:
    """Count, mean and biased variance of each channel, over all processes."""
    exact, dims = _exact(values), _all_but_channels(values)
    own_count = values.numel() // values.shape[1]
    own_mean = exact.sum(dims) / own_count
    spread = (exact - _wide(own_mean, values)).square_().sum(dims)
    # One row a process, the others' all zeros: their sum is the table of all.
    table = values.new_zeros(world.size, 3, values.shape[1], dtype=torch.float64)
    table[world.rank] = torch.stack([torch.full_like(own_mean, own_count), own_mean, spread])
    distributed.all_reduce(table)
    counts, means, spreads = table.unbind(1)
    count = counts[:, 0].sum()
    mean = (counts * means).sum(0) / count
    return count, mean, (spreads + counts * (means - mean).square()).sum(0) / count


def _exact(values: Tensor) -> Tensor:
    """Half precision as float32: sums of thousands of numbers need its digits."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _all_but_channels(values: Tensor) -> list[int]:
    return [dim for dim in range(values.ndim) if dim != 1]


def _wide(channels: Float[Tensor, " c"], values: Tensor) -> Tensor:
    return channels.view(1, -1, *[1] * (values.ndim - 2))
