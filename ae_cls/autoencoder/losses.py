"""The two reductions of the squared error, and the terms every variant logs.

`mse` is the mean over batch and pixels, `sse` the sum over the pixels of an image, mean over the
batch: sse = pixels x mse. Losses are taken in float32, also under autocast.
"""

from jaxtyping import Float
from torch import Tensor

from ae_cls.autoencoder.contract import Loss


def mean_squared_error(
    output: Float[Tensor, "b c h w"], target: Float[Tensor, "b c h w"]
) -> Float[Tensor, ""]:
    """Mean over batch, channels and pixels."""
    return (output.float() - target).square().mean()


def weighted_mean_squared_error(
    output: Float[Tensor, "b c h w"],
    target: Float[Tensor, "b c h w"],
    weight: Float[Tensor, "#b #c #h #w"],
) -> Float[Tensor, ""]:
    """Mean over batch, channels and pixels with a weight on each; 0 where all weights are 0."""
    error = (output.float() - target).square()
    weight = weight.expand_as(error)
    return (weight * error).sum() / weight.sum().clamp_min(1e-12)


def reconstruction_loss(
    output: Float[Tensor, "b c h w"],
    target: Float[Tensor, "b c h w"],
    weight: Float[Tensor, "#b #c #h #w"],
) -> Loss:
    """The plain autoencoder's loss: the (weighted) mean squared error."""
    total = weighted_mean_squared_error(output, target, weight)
    return Loss(total, {"mse": mean_squared_error(output, target).detach()})
