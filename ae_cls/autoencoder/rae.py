"""The regularised autoencoder: what makes a VAE's code smooth, without its noise.

Ghosh, Sajjadi, Vergari, Black & Schoelkopf 2020, From variational to deterministic autoencoders,
ICLR, arXiv 1903.12436.
"""

from typing import Literal, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.parts.convolutional import Convolutional, ConvolutionalConfig
from ae_cls.autoencoder.parts.dense import pixel_count
from ae_cls.autoencoder.parts.jacobian import squared_slope
from ae_cls.autoencoder.parts.losses import (
    at_least_float32,
    mean_squared_error,
    weighted_mean_squared_error,
)
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws
from ae_cls.train.loss import Loss


@final
class RaeConfig(ConvolutionalConfig):
    """A convolutional autoencoder with a penalty on its code and one on its decoder."""

    name: Literal["rae"]
    code_penalty: float = Field(
        ge=0,
        description="weight of half the squared length of the code, beside the squared error "
        "summed over the pixels",
    )
    kind: Literal["l2", "gradient_penalty"] = Field(
        description="what of the decoder is kept small: l2: its weights; gradient_penalty: how "
        "much its images change with the code"
    )
    decoder_penalty: float = Field(
        ge=0,
        description="weight of the sum of squares of the decoder's weights (l2), or of its slopes",
    )

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Rae(image_shape, self)


@final
class Rae(Convolutional):
    """Trunk - linear code - decoder."""

    def __init__(self, image_shape: ImageShape, config: RaeConfig) -> None:
        super().__init__(image_shape, config)
        self.config = config

    def undecayed(self) -> list[nn.Module]:
        # Its own penalty is thousands of times weaker than the usual decay, and would not be seen.
        return [self.decoder]

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        latents = self.encode(seen.images)
        output = self.decode(latents)
        error = weighted_mean_squared_error(output, images, seen.weight)
        code = at_least_float32(latents).square().sum(1).mean() / 2
        decoder = self._decoder_cost(at_least_float32(latents), draws)
        total = (
            pixel_count(self.image_shape) * error
            + self.config.code_penalty * code
            + self.config.decoder_penalty * decoder
        )
        terms = {"mse": mean_squared_error(output, images), "code": code, "decoder": decoder}
        return Loss(total, {name: term.detach() for name, term in terms.items()})

    def _decoder_cost(self, latents: Float[Tensor, "b d"], draws: Draws) -> Float[Tensor, ""]:
        if self.config.kind == "l2":
            return sum_of_squares(self.decoder)
        directions = draws.normal("rae", latents.shape[1]).to(latents)
        return squared_slope(self.decode, latents, directions).mean()


def sum_of_squares(module: nn.Module) -> Float[Tensor, ""]:
    """Of its weights; biases are free, as they are of decay."""
    squares = [p.square().sum() for p in module.parameters() if p.ndim >= 2]
    return sum(squares[1:], squares[0])
