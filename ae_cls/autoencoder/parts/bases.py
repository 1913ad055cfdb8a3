"""Bases of variants that differ only in how they encode and decode."""

from abc import ABC
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.parts.corruption import Corruption
from ae_cls.autoencoder.parts.losses import mean_squared_error, reconstruction_loss
from ae_cls.draws import Draws
from ae_cls.train.loss import Loss


class Fixed(Autoencoder, ABC):
    """A variant without weights to train: its loss is the error of its reconstruction."""

    # Axes and sums are computed in float32; bf16 would keep 8 bits of them.
    allows_bf16: ClassVar[bool] = False

    def encoder_layers(self) -> list[nn.Module]:
        return []

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        error = mean_squared_error(self.decode(self.encode(images)), images)
        return Loss(error, {"mse": error})


class Corrupting(Autoencoder, ABC):
    """A variant whose training images may be corrupted."""

    corruption: Corruption

    def corrupted(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Float[Tensor, "b c h w"]:
        return self.corruption.apply(images, draws).images


class Reconstructing(Corrupting, ABC):
    """A variant trained by the squared error of clean images rebuilt from corrupted ones."""

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        return reconstruction_loss(self.decode(self.encode(seen.images)), images, seen.weight)
