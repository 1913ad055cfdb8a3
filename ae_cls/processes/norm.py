"""Batch norm in training: exact to rounding, over one process or several, on CPU and GPU.

Ioffe & Szegedy 2015, arXiv 1502.03167. On the CPU torch (2.14) sums channels-last maps row by row
in float32, which is wrong in the sixth digit; activations near a kink then change sides, and
gradients differ by a thousandth between one thread and two. torch's SyncBatchNorm refuses tensors
on the CPU. Means and variances of the parts are put together as Chan, Golub & LeVeque 1983 do
(Algorithms for computing the sample variance, The American Statistician 37), which loses no digits
to large means.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, final

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ae_cls.processes.batch import current_batch
from ae_cls.processes.world import ALONE, World


@contextmanager
def exact_norms(network: nn.Module) -> Iterator[None]:
    """Inside, the network's batch norms are exact and see the whole of a shared batch.

    The modules stay the same ones: their parameters, buffers and names are untouched.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        exact = _exactly(norm, norm.forward)
        norm.forward = exact  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _exactly(norm: _BatchNorm, torchs: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def forward(input: Float[Tensor, "b c *sides"]) -> Float[Tensor, "b c *sides"]:
        shared = current_batch()
        uses_batch = norm.training or norm.running_mean is None
        if not uses_batch or (shared is None and _is_torch_exact(input)):
            return torchs(input)
        world = shared.world if shared else ALONE
        applied = _OfBatch.apply(input, norm.weight, norm.bias, norm.eps, world)
        assert isinstance(applied, tuple)
        output, count, mean, variance = applied
        if norm.training and norm.track_running_stats:
            _remember(norm, count, mean, variance)
        return output

    return forward


def _is_torch_exact(values: Tensor) -> bool:
    """Whether what torch loses is far below the rounding of the values themselves."""
    return values.device.type != "cpu" or values.dtype in (torch.float16, torch.bfloat16)


def _remember(norm: _BatchNorm, count: Tensor, mean: Tensor, variance: Tensor) -> None:
    """Move the running buffers as torch does: with the unbiased variance."""
    assert norm.num_batches_tracked is not None
    assert norm.running_mean is not None and norm.running_var is not None
    norm.num_batches_tracked.add_(1)
    momentum = norm.momentum
    if momentum is None:  # the mean of all batches
        momentum = 1 / int(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean.to(norm.running_mean), momentum)
    norm.running_var.lerp_(
        (variance * count / (count - 1).clamp(min=1)).to(norm.running_var), momentum
    )


@final
class _OfBatch(torch.autograd.Function):
    """Output, then count, mean and biased variance of each channel over the whole batch."""

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
        world: World,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        output, rows = _room(values)
        own_mean = _exact_rows(values).mean(0)
        torch.sub(_exact_rows(values), own_mean, out=rows)
        spread = rows.square().sum(0)
        count, mean, variance = _of_whole_batch(len(rows), own_mean, spread, world)
        inverse = (variance + eps).rsqrt()
        scale = inverse if weight is None else inverse * weight
        shift = (own_mean - mean) * scale
        shift = shift if bias is None else shift + bias
        rows.mul_(scale.to(rows.dtype)).add_(shift.to(rows.dtype))
        ctx.world = world
        ctx.save_for_backward(values, weight, count, mean.to(rows.dtype), inverse.to(rows.dtype))
        ctx.mark_non_differentiable(count, mean, variance)
        return output.to(values.dtype), count, mean, variance

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        values, weight, count, mean, inverse = ctx.saved_tensors
        pull, rows = _room(values)
        slope = _exact_rows(slopes[0])
        torch.sub(_exact_rows(values), mean, out=rows)
        own = torch.stack([slope.sum(0), (slope * rows).sum(0) * inverse])
        mean_slope, mean_pull = (ctx.world.summed(own) / count).to(rows.dtype)
        scale = inverse if weight is None else inverse * weight
        # scale * (slope - mean_slope - normed * mean_pull), each step in place
        rows.mul_(-scale * inverse * mean_pull).sub_(scale * mean_slope).addcmul_(slope, scale)
        own_slope, own_pull = (None, None) if weight is None else own
        return pull.to(values.dtype), own_pull, own_slope, None, None


def _of_whole_batch(
    own_count: int, own_mean: Float[Tensor, " c"], own_spread: Float[Tensor, " c"], world: World
) -> tuple[Float64[Tensor, ""], Float64[Tensor, " c"], Float64[Tensor, " c"]]:
    """Count, mean and biased variance of each channel, over all processes."""
    # One row a process, the others' all zeros: their sum is the table of all.
    table = own_mean.new_zeros(world.size, 3, len(own_mean), dtype=torch.float64)
    table[world.rank] = torch.stack([torch.full_like(own_mean, own_count), own_mean, own_spread])
    counts, means, spreads = world.summed(table).unbind(1)
    count = counts[:, 0].sum()
    mean = (counts * means).sum(0) / count
    return count, mean, (spreads + counts * (means - mean).square()).sum(0) / count


def _exact_rows(values: Float[Tensor, "b c *sides"]) -> Float[Tensor, "_ c"]:
    """One row a position, half precision as float32; a view of channels-last maps.

    torch sums down such a table in stages, so no digits are lost, and as fast as it is read.
    """
    exact = values.to(torch.promote_types(values.dtype, torch.float32))
    return exact.movedim(1, -1).reshape(-1, values.shape[1])


def _room(
    values: Float[Tensor, "b c *sides"],
) -> tuple[Float[Tensor, "b c *sides"], Float[Tensor, "_ c"]]:
    """Room for as many exact numbers, channels last, and its rows.

    A map of its own, not a view of the rows: what follows may change it in place.
    """
    last = (0, *range(2, values.ndim), 1)
    kind = torch.promote_types(values.dtype, torch.float32)
    room = torch.empty_permuted(values.shape, last, dtype=kind, device=values.device)
    return room, _exact_rows(room)
