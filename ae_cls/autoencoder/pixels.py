"""Raw pixels: the control that every table needs."""

from typing import ClassVar, Literal, final

from jaxtyping import Float
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Fixed
from ae_cls.dataset.contract import ImageShape


@final
class PixelsConfig(AutoencoderConfig):
    """No encoder: the code is the image."""

    has_gradients: ClassVar[bool] = False
    name: Literal["pixels"]

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Pixels(image_shape)


@final
class Pixels(Fixed):
    """Code = pixels in channel, row, column order."""

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        self.image_shape = image_shape

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return images.flatten(1)

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        return latents.unflatten(1, self.image_shape)

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return [images]
