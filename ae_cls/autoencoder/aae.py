"""The adversarial autoencoder: codes that a discriminator cannot tell from normal draws.

Makhzani, Shlens, Jaitly, Goodfellow & Frey 2015, Adversarial autoencoders, arXiv 1511.05644.
"""

from typing import ClassVar, Literal, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.parts.convolutional import Convolutional, ConvolutionalConfig
from ae_cls.autoencoder.parts.dense import pixel_count
from ae_cls.autoencoder.parts.discriminator import Discriminator
from ae_cls.autoencoder.parts.losses import (
    at_least_float32,
    mean_squared_error,
    weighted_mean_squared_error,
)
from ae_cls.autoencoder.parts.prior import DrawnCodes, normal_codes
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws
from ae_cls.settings import Width
from ae_cls.train.loss import Loss


@final
class AaeConfig(ConvolutionalConfig):
    """A convolutional autoencoder that plays against a discriminator of its codes."""

    # Each player's slope is that of its own cost, and their sum is no slope of anything.
    has_exact_gradients: ClassVar[bool] = False
    name: Literal["aae"]
    penalty: float = Field(
        ge=0,
        description="weight of the adversarial loss, by which codes become like normal draws, "
        "beside the squared error summed over the pixels; 0: no discriminator",
    )
    discriminator_width: Width = Field(description="units of its two hidden layers")

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Aae(image_shape, self)


@final
class Aae(Convolutional):
    """Trunk - linear code - decoder, and a discriminator that training alone needs.

    The article takes three steps a batch: reconstruction, discriminator, encoder. Here all move in
    one step, each along the slope of its own cost at the weights before it (simultaneous descent,
    as with the reversed gradient of Ganin & Lempitsky 2015, arXiv 1409.7495, but with the cost for
    codes that does not saturate). How the discriminator's cost is scaled, or clipped with the rest,
    hardly matters: Adam divides each weight's slope by its usual size.

    Neither player's cost falls while both learn, so validation judges the reconstruction alone.
    """

    def __init__(self, image_shape: ImageShape, config: AaeConfig) -> None:
        super().__init__(image_shape, config)
        self.penalty, self.latent_dim = config.penalty, config.latent_dim
        self.discriminator = (
            Discriminator(config.latent_dim, config.discriminator_width) if config.penalty else None
        )

    def drawn_codes(self, draws: Draws) -> DrawnCodes | None:
        return normal_codes(draws, self.latent_dim) if self.penalty else None

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        latents = self.encode(seen.images)
        output = self.decode(latents)
        error = weighted_mean_squared_error(output, images, seen.weight)
        total = pixel_count(self.image_shape) * error
        terms = {"mse": mean_squared_error(output, images).detach()}
        if self.discriminator is None:
            return Loss(total, terms)
        normal = draws.normal("aae", latents.shape[1]).to(at_least_float32(latents))
        terms["discriminator_accuracy"] = self.discriminator.accuracy(latents, normal)
        if self.training:
            game = self.discriminator.game(latents, normal)
            total = total + self.penalty * game.encoder + game.discriminator
        return Loss(total, terms)
