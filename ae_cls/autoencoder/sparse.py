"""One dense layer of which few units are active.

Ng 2011 (kind=kl), Makhzani & Frey 2013 (k_sparse) and 2015 (winner_take_all); parts/sparsity.py
has each.
"""

from typing import Literal, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.corruption import CorruptionChoice
from ae_cls.autoencoder.parts.dense import pixel_count
from ae_cls.autoencoder.parts.losses import (
    at_least_float32,
    mean_squared_error,
    weighted_mean_squared_error,
)
from ae_cls.autoencoder.parts.one_layer import OneLayer
from ae_cls.autoencoder.parts.sparsity import (
    LargestOfBatch,
    LargestOfImage,
    MeanActivity,
    Sparsity,
)
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows
from ae_cls.draws import Draws
from ae_cls.processes.batch import batch_mean
from ae_cls.train.loss import Loss

_DEAD = 1e-4  # of the mean variance of all units


@final
class SparseConfig(AutoencoderConfig):
    """A dense layer of many units, most of which are silent."""

    name: Literal["sparse"]
    latent_dim: int = Field(ge=1, description="units, the numbers in the code")
    kind: Literal["kl", "k_sparse", "winner_take_all"] = Field(
        description="what is sparse: kl: the mean of each unit; k_sparse: the units of each image; "
        "winner_take_all: the images that each unit answers to"
    )
    active: float = Field(
        gt=0,
        lt=1,
        description="share that is active: of the time (kl), of the units in each image "
        "(k_sparse), of the images of a batch for each unit (winner_take_all)",
    )
    penalty: float = Field(
        ge=0, description="kl: weight of the divergence, in nats, beside half the squared error"
    )
    warm_up: float = Field(
        ge=0, le=1, description="share of the steps over which sparsity sets in, against dead units"
    )
    tied: bool | None = Field(
        description="decode with the transposed encoder weights; null: all but kl do, whose units "
        "are too faint"
    )
    corruption: CorruptionChoice

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Sparse(image_shape, self)


@final
class Sparse(OneLayer):
    """The code is what the units answer, made sparse."""

    def __init__(self, image_shape: ImageShape, config: SparseConfig) -> None:
        sparsity = _sparsity(config)
        super().__init__(
            image_shape,
            units=config.latent_dim,
            activation=sparsity.activation,
            tied=sparsity.tied if config.tied is None else config.tied,
            corruption=config.corruption,
        )
        self.sparsity, self.warm_up = sparsity, config.warm_up

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self.sparsity(self.units(images), 1.0)

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        # Before any is silenced: a classifier reads more from them (Makhzani & Frey 2015).
        return [self.units(images).relu()[:, :, None, None]]

    def fit_closed_form(self, images: ImageRows, seed: int) -> None:
        self.centre(images)

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        strength = min(1.0, progress / self.warm_up) if self.warm_up else 1.0
        units = self.units(seen.images)
        latents = self.sparsity(units, strength)
        output = self.decode(latents)
        error = weighted_mean_squared_error(output, images, seen.weight)
        total = self.sparsity.total(error, units, strength, pixel_count(self.image_shape))
        mse = mean_squared_error(output, images).detach()
        return Loss(total, {"mse": mse, "dead": share_of_dead(latents.detach())})


def _sparsity(config: SparseConfig) -> Sparsity:
    match config.kind:
        case "kl":
            return MeanActivity(active=config.active, weight=config.penalty)
        case "k_sparse":
            return LargestOfImage(active=config.active)
        case "winner_take_all":
            return LargestOfBatch(active=config.active, units=config.latent_dim)


def share_of_dead(latents: Float[Tensor, "b d"]) -> Float[Tensor, ""]:
    """Of the numbers in the code, those that hardly differ between the images of the batch."""
    latents = at_least_float32(latents)
    means = batch_mean(latents.mean(0))
    variances = batch_mean((latents - means).square().mean(0))
    return (variances <= _DEAD * variances.mean()).to(torch.float32).mean()
