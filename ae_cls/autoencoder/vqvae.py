"""The autoencoder whose code is made of entries of a codebook, one a cell.

Van den Oord, Vinyals & Kavukcuoglu 2017, Neural discrete representation learning, arXiv 1711.00937.
"""

import math
from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Corrupting
from ae_cls.autoencoder.parts.code import to_code
from ae_cls.autoencoder.parts.codebook import Codebook
from ae_cls.autoencoder.parts.convolutional import TrunkConfig
from ae_cls.autoencoder.parts.losses import (
    at_least_float32,
    mean_squared_error,
    weighted_mean_squared_error,
)
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.draws import Draws
from ae_cls.processes.batch import batch_rows
from ae_cls.settings import Width
from ae_cls.train.loss import Loss

_IMAGES = 4096  # of which the variance of pixels is taken
_FLAT = 1e-6  # variance of images of one colour, about


@final
class VqVaeConfig(TrunkConfig):
    """A convolutional encoder, each cell of whose map is rounded to the nearest code."""

    has_exact_gradients: ClassVar[bool] = False
    name: Literal["vqvae"]
    codes: int = Field(ge=1, le=1 << 16, description="entries of the codebook")
    code_width: Width = Field(description="numbers of an entry")
    decay: float = Field(
        ge=0, lt=1, description="share of a code that stays when it moves to a batch's mean"
    )
    commitment: float = Field(
        ge=0, description="weight of the distance of cells from their codes (beta of the article)"
    )

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return VqVae(image_shape, self)

    def small(self) -> AutoencoderConfig:
        return self.model_copy(update={"widths": (16, 32), "code_width": 8, "codes": 64})


@final
class VqVae(Corrupting):
    """Trunk - vectors of the cells - nearest codes - decoder.

    Its features are the vectors before rounding, which say more: how near the next code is.
    """

    variance: Float[Tensor, ""]

    def __init__(self, image_shape: ImageShape, config: VqVaeConfig) -> None:
        super().__init__()
        self.image_shape, self.corruption, self.config = image_shape, config.corruption, config
        self.trunk = config.trunk(image_shape)
        self.map_shape = (config.code_width, *self.trunk.sides)
        numbers, most = math.prod(self.map_shape), max(self.trunk.sides)
        self.to_vectors = to_code(
            self.trunk.outputs, self.trunk.sides, latent_dim=numbers, most=most
        )
        self.codebook = Codebook(config.codes, config.code_width, decay=config.decay)
        self.decoder = config.painter(image_shape, numbers=numbers, most_cells=most)
        self.register_buffer("variance", torch.tensor(1.0))

    def fit_closed_form(self, images: ImageRows, seed: int) -> None:
        sample = images.sample(_IMAGES)
        pixels = to_unit(sample.take(torch.arange(len(sample))), self.variance.device)
        self.variance.copy_(pixels.var(correction=0).clamp_min(_FLAT))

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self.to_vectors(self.trunk(images)[-1].flatten(1))

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        vectors = self._vectors(latents)
        return self._painted(self.codebook[self.codebook.nearest(vectors)])

    def encoder_layers(self) -> list[nn.Module]:
        return [*self.trunk.stages, self.to_vectors]

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        maps = self.trunk(images)
        return [*maps, self.to_vectors(maps[-1].flatten(1)).unflatten(1, self.map_shape)]

    def code_uses(self, latents: Float[Tensor, "b d"]) -> Int64[Tensor, " k"]:
        chosen = self.codebook.nearest(self._vectors(latents))
        return chosen.bincount(minlength=self.config.codes)

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        vectors = self._vectors(self.encode(seen.images))
        if self.training:
            scores = draws.uniform("vqvae_codes", math.prod(self.trunk.sides))
            everyones = batch_rows(vectors.detach().unflatten(0, scores.shape)).flatten(0, 1)
            self.codebook.revive(everyones, batch_rows(scores).flatten())
        dead = self.codebook.dead().sum()
        chosen = self.codebook.nearest(vectors)
        codes = self.codebook[chosen]
        if self.training:
            self.codebook.follow(vectors, chosen)
        # Rounding has no slope: the vectors take over that of their codes.
        output = self._painted(vectors + (codes - vectors).detach())
        error = weighted_mean_squared_error(output, images, seen.weight)
        distance = (vectors - codes).square().mean()
        terms = {
            "mse": mean_squared_error(output, images).detach(),
            "commitment": distance.detach(),
            "perplexity": self.codebook.perplexity(),
            "dead_codes": dead,
        }
        return Loss(error / self.variance + self.config.commitment * distance, terms)

    def _vectors(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "n v"]:
        """One a cell, image by image."""
        return at_least_float32(latents).unflatten(1, self.map_shape).movedim(1, -1).flatten(0, 2)

    def _painted(self, vectors: Float[Tensor, "n v"]) -> Float[Tensor, "b c h w"]:
        maps = vectors.unflatten(0, (-1, *self.trunk.sides)).movedim(-1, 1)
        return self.decoder(maps.flatten(1))
