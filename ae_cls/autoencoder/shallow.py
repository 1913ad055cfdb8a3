"""One hidden layer.

Bourlard & Kamp 1988, Auto-association by multilayer perceptrons and singular value decomposition,
Biological Cybernetics 59. Baldi & Hornik 1989, Neural networks and principal component analysis:
learning from examples without local minima, Neural Networks 2.
"""

from typing import Literal, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Reconstructing
from ae_cls.autoencoder.parts.corruption import CorruptionChoice
from ae_cls.autoencoder.parts.dense import Activation
from ae_cls.autoencoder.parts.one_layer import OneLayer
from ae_cls.dataset.contract import ImageShape


@final
class ShallowConfig(AutoencoderConfig):
    """A dense encoder and decoder of one layer each."""

    name: Literal["shallow"]
    latent_dim: int = Field(ge=1, description="hidden units, the numbers in the code")
    activation: Activation = Field(description="of the hidden units")
    tied: bool = Field(description="decode with the transposed encoder weights")
    corruption: CorruptionChoice

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Shallow(image_shape, self)


@final
class Shallow(OneLayer, Reconstructing):
    """Its code is what the hidden units answer."""

    def __init__(self, image_shape: ImageShape, config: ShallowConfig) -> None:
        super().__init__(
            image_shape,
            units=config.latent_dim,
            activation=config.activation,
            tied=config.tied,
            corruption=config.corruption,
        )

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self.units(images)

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return [self.units(images)[:, :, None, None]]
