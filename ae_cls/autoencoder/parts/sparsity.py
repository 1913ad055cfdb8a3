"""Three ways to keep most units silent.

Each means something else by the share of units that is active: on average, in each image, or in
each batch of images.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.autoencoder.parts.dense import Activation
from ae_cls.autoencoder.parts.losses import at_least_float32
from ae_cls.processes.batch import batch_mean, batch_rows

_NEAREST = 1e-6  # to 0 and 1: a mean activity beyond it counts as this in the logarithm
_MOMENTUM = 0.05  # of the thresholds, a mean over some twenty batches


class Sparsity(nn.Module, ABC):
    """How a code becomes sparse, and what it costs."""

    activation: ClassVar[Activation | None]
    """Of the units; None: linear."""
    tied: ClassVar[bool]
    """Whether to decode with the transposed encoder weights, unless that is said."""

    @abstractmethod
    def forward(self, units: Float[Tensor, "b d"], strength: float) -> Float[Tensor, "b d"]:
        """The code; `strength` 0 leaves the units as they are, 1 makes them as sparse as asked."""

    @abstractmethod
    def total(
        self, error: Float[Tensor, ""], units: Float[Tensor, "b d"], strength: float, pixels: int
    ) -> Float[Tensor, ""]:
        """What is to go down: the mean squared error of `pixels` numbers, and what it adds."""


@final
class MeanActivity(Sparsity):
    """The mean of each sigmoid unit is drawn to `active`: nothing is cut, but what differs costs.

    Ng 2011, Sparse autoencoder, lecture notes of CS294A, Stanford.
    """

    activation: ClassVar[Activation | None] = "sigmoid"
    tied: ClassVar[bool] = False

    def __init__(self, *, active: float, weight: float) -> None:
        super().__init__()
        self.active, self.weight = active, weight

    def forward(self, units: Float[Tensor, "b d"], strength: float) -> Float[Tensor, "b d"]:
        return units

    def total(
        self, error: Float[Tensor, ""], units: Float[Tensor, "b d"], strength: float, pixels: int
    ) -> Float[Tensor, ""]:
        # A clamp of a mean: with several processes the mean must be that of the whole batch.
        means = batch_mean(at_least_float32(units).mean(0))
        return pixels / 2 * error + strength * self.weight * divergence(self.active, means).sum()


def divergence(wanted: float, means: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
    """In nats, of a unit active with probability `wanted` from units of these mean activities."""
    means = means.clamp(_NEAREST, 1 - _NEAREST)
    on, off = wanted * (wanted / means).log(), (1 - wanted) * ((1 - wanted) / (1 - means)).log()
    return on + off


@final
class LargestOfImage(Sparsity):
    """In each image the largest of the linear units are kept: the k-sparse autoencoder.

    Makhzani & Frey 2013, k-Sparse autoencoders, arXiv 1312.5663.
    """

    activation: ClassVar[Activation | None] = None
    tied: ClassVar[bool] = True

    def __init__(self, *, active: float) -> None:
        super().__init__()
        self.active = active

    def forward(self, units: Float[Tensor, "b d"], strength: float) -> Float[Tensor, "b d"]:
        count = kept(_share(self.active, strength), units.shape[1])
        # By place, not by size: in bf16 several may be as large as the smallest that is kept.
        places = units.topk(count, dim=1).indices
        return torch.zeros_like(units).scatter(1, places, units.gather(1, places))

    def total(
        self, error: Float[Tensor, ""], units: Float[Tensor, "b d"], strength: float, pixels: int
    ) -> Float[Tensor, ""]:
        return error


@final
class LargestOfBatch(Sparsity):
    """Of each unit the largest answers to a batch are kept: no unit can die, none always wins.

    Makhzani & Frey 2015, Winner-take-all autoencoders, arXiv 1409.2752. A code must not depend on
    the batch that an image comes in, so outside training a unit answers above its mean threshold
    of the last batches, as Bussmann, Leask & Nanda 2024, arXiv 2412.06410, do with one for all.
    """

    activation: ClassVar[Activation | None] = "relu"
    tied: ClassVar[bool] = True
    threshold: Float[Tensor, " d"]

    def __init__(self, *, active: float, units: int) -> None:
        super().__init__()
        self.active = active
        self.register_buffer("threshold", torch.zeros(units))

    def forward(self, units: Float[Tensor, "b d"], strength: float) -> Float[Tensor, "b d"]:
        if not self.training:
            return units * (units >= self.threshold)
        whole = batch_rows(units.detach())
        largest = whole.topk(kept(_share(self.active, strength), len(whole)), dim=0).values
        # Validation asks for the sparsity that training ends with.
        final = largest[kept(self.active, len(whole)) - 1]
        self.threshold.lerp_(final.to(self.threshold), _MOMENTUM)
        return units * (units >= largest[-1])

    def total(
        self, error: Float[Tensor, ""], units: Float[Tensor, "b d"], strength: float, pixels: int
    ) -> Float[Tensor, ""]:
        return error


def kept(share: float, count: int) -> int:
    """How many of `count` are kept: the share, rounded up."""
    # Less what rounding adds: a share of 0.07 of 100 are 7.
    return max(1, math.ceil(share * count - 1e-9))


def _share(active: float, strength: float) -> float:
    return 1 - (1 - active) * strength
