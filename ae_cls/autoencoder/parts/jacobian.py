"""How steep a function is in all directions together, from one direction drawn at random."""

import warnings
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ae_cls.autoencoder.parts.losses import at_least_float32


def squared_slope(
    function: Callable[[Tensor], Tensor],
    points: Float[Tensor, "b d"],
    directions: Float[Tensor, "b d"],
) -> Float[Tensor, " b"]:
    """Of each point, an unbiased estimate of the sum of the squares of the Jacobian's elements.

    The squared length of a matrix times independent standard normal numbers has that mean
    (Hutchinson 1990, A stochastic estimator of the trace of the influence matrix, Communications
    in Statistics 19). The derivative in one direction costs a second forward pass.

    Args:
        function: takes each point by itself, as a batch norm in training does not.
        points: where.
        directions: standard normal numbers.
    """
    with warnings.catch_warnings():
        # Some of torch's own rules for derivatives are written in it, and loaded at the first use.
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
        slopes = torch.func.jvp(function, (points,), (directions,))[1]
    return at_least_float32(slopes).flatten(1).square().sum(1)
