"""One sigmoid layer that changes little where the image changes a little.

Rifai, Vincent, Muller, Glorot & Bengio 2011, Contractive auto-encoders: explicit invariance during
feature extraction, ICML.
"""

from typing import Literal, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.corruption import CorruptionChoice
from ae_cls.autoencoder.parts.dense import pixel_count
from ae_cls.autoencoder.parts.losses import (
    at_least_float32,
    mean_squared_error,
    weighted_mean_squared_error,
)
from ae_cls.autoencoder.parts.one_layer import OneLayer
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows
from ae_cls.draws import Draws
from ae_cls.train.loss import Loss


@final
class ContractiveConfig(AutoencoderConfig):
    """A sigmoid layer and its transpose, with a penalty on the slope of the code."""

    name: Literal["contractive"]
    latent_dim: int = Field(ge=1, description="hidden units, the numbers in the code")
    penalty: float = Field(
        ge=0,
        description="weight of the code's squared slopes by pixel, beside the squared error summed "
        "over the pixels",
    )
    corruption: CorruptionChoice

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Contractive(image_shape, self)


@final
class Contractive(OneLayer):
    """Its code is what the hidden units answer."""

    def __init__(self, image_shape: ImageShape, config: ContractiveConfig) -> None:
        # Untied, a small code and a decoder that enlarges it would contract nothing for free.
        super().__init__(
            image_shape,
            units=config.latent_dim,
            activation="sigmoid",
            tied=True,
            corruption=config.corruption,
        )
        # As for a linear layer: the wider weights that suit a sigmoid rebuild, transposed, images
        # of far too much contrast: digits with an error of 0.95 after 60 steps, instead of 0.014.
        nn.init.xavier_uniform_(self.to_latent.weight)
        self.penalty = config.penalty

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self.units(images)

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return [self.units(images)[:, :, None, None]]

    def fit_closed_form(self, images: ImageRows, seed: int) -> None:
        self.centre(images)

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        output = self.decode(self.encode(seen.images))
        error = weighted_mean_squared_error(output, images, seen.weight)
        slope = self.squared_slope(seen.images).mean()
        total = pixel_count(self.image_shape) * error + self.penalty * slope
        mse = mean_squared_error(output, images)
        return Loss(total, {"mse": mse.detach(), "slope": slope.detach()})

    def squared_slope(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """Of each image, the sum of the squares of the derivatives of the code by each pixel."""
        units = at_least_float32(self.to_latent(images.flatten(1))).sigmoid()
        lengths = self.to_latent.weight.square().sum(1)
        return ((units * (1 - units)).square() * lengths).sum(1)
