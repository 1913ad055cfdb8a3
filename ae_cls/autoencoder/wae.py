"""The Wasserstein autoencoder: codes that together look normal, each of them exact.

Tolstikhin, Bousquet, Gelly & Schoelkopf 2018, Wasserstein auto-encoders, ICLR, arXiv 1711.01558,
with the maximum mean discrepancy.
"""

from typing import Literal, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.parts.convolutional import Convolutional, ConvolutionalConfig
from ae_cls.autoencoder.parts.dense import pixel_count
from ae_cls.autoencoder.parts.discrepancy import SCALES, squared_discrepancy
from ae_cls.autoencoder.parts.losses import (
    at_least_float32,
    mean_squared_error,
    weighted_mean_squared_error,
)
from ae_cls.autoencoder.parts.prior import DrawnCodes, normal_codes
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws
from ae_cls.processes.batch import batch_rows
from ae_cls.train.loss import Loss


@final
class WaeConfig(ConvolutionalConfig):
    """A convolutional autoencoder whose codes, taken together, are drawn to a normal cloud."""

    name: Literal["wae"]
    penalty: float = Field(
        ge=0,
        description="weight of the discrepancy of a batch of codes from normal ones, beside the "
        "squared error summed over the pixels",
    )

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Wae(image_shape, self)


@final
class Wae(Convolutional):
    """Trunk - linear code - decoder."""

    def __init__(self, image_shape: ImageShape, config: WaeConfig) -> None:
        super().__init__(image_shape, config)
        self.penalty, self.latent_dim = config.penalty, config.latent_dim

    def drawn_codes(self, draws: Draws) -> DrawnCodes | None:
        return normal_codes(draws, self.latent_dim) if self.penalty else None

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        latents = self.encode(seen.images)
        output = self.decode(latents)
        error = weighted_mean_squared_error(output, images, seen.weight)
        discrepancy = self._discrepancy(at_least_float32(latents), draws)
        total = pixel_count(self.image_shape) * error + self.penalty * discrepancy
        mse = mean_squared_error(output, images)
        return Loss(total, {"mse": mse.detach(), "mmd": discrepancy.detach()})

    def _discrepancy(self, latents: Float[Tensor, "b d"], draws: Draws) -> Float[Tensor, ""]:
        normal = draws.normal("wae", latents.shape[1]).to(latents)
        # Pairs across processes count, too: the discrepancy of each part is another number.
        return squared_discrepancy(batch_rows(latents), batch_rows(normal), SCALES)
