"""The two reductions of the squared error, and the terms every variant logs.

`mse` is the mean over batch and pixels, `sse` the sum over the pixels of an image, mean over the
batch: sse = pixels x mse. Losses are computed in float32, also under autocast.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ae_cls.processes.batch import batch_sum
from ae_cls.train.loss import Loss

PIXEL_ROUNDING = 1 / 255**2 / 12
"""Variance of what is lost where pixels are bytes: no error is below it."""


def mean_squared_error(
    output: Float[Tensor, "b c h w"], target: Float[Tensor, "b c h w"]
) -> Float[Tensor, ""]:
    """Mean over batch, channels and pixels."""
    return (at_least_float32(output) - target).square().mean()


def weighted_mean_squared_error(
    output: Float[Tensor, "b c h w"],
    target: Float[Tensor, "b c h w"],
    weight: Float[Tensor, "#b #c #h #w"],
) -> Float[Tensor, ""]:
    """Mean over batch, channels and pixels with a weight on each; 0 where all weights are 0."""
    error = (at_least_float32(output) - target).square()
    weight = weight.expand_as(error)
    # Over the whole batch, of which other processes may have a share: images differ in weight.
    errors, weights = batch_sum(torch.stack([(weight * error).sum(), weight.sum()]))
    return errors / weights.clamp_min(1e-12)


def reconstruction_loss(
    output: Float[Tensor, "b c h w"],
    target: Float[Tensor, "b c h w"],
    weight: Float[Tensor, "#b #c #h #w"],
) -> Loss:
    """The plain autoencoder's loss: the (weighted) mean squared error."""
    total = weighted_mean_squared_error(output, target, weight)
    return Loss(total, {"mse": mean_squared_error(output, target).detach()})


def at_least_float32(tensor: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """What autocast left in half precision, in float32; float64 stays as it is."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
