"""One hidden layer.

Bourlard & Kamp 1988, Auto-association by multilayer perceptrons and singular value decomposition,
Biological Cybernetics 59. Baldi & Hornik 1989, Neural networks and principal component analysis:
learning from examples without local minima, Neural Networks 2.
"""

from typing import Literal, final

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Reconstructing
from ae_cls.autoencoder.parts.corruption import CorruptionChoice
from ae_cls.autoencoder.parts.dense import Activation, activation_module, dense, pixel_count
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
class Shallow(Reconstructing):
    """latents = activation(W x + b); image = V latents + c, with V = W transposed when tied."""

    def __init__(self, image_shape: ImageShape, config: ShallowConfig) -> None:
        super().__init__()
        self.image_shape, self.corruption = image_shape, config.corruption
        pixels, units = pixel_count(image_shape), config.latent_dim
        self.to_latent = dense(pixels, units, config.activation)
        self.activation = activation_module(config.activation)
        self.bias = nn.Parameter(torch.zeros(pixels))
        untied = None if config.tied else nn.Parameter(dense(units, pixels, None).weight.data)
        self.to_pixels = untied

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self.activation(self.to_latent(images.flatten(1)))

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        weight = self.to_latent.weight.T if self.to_pixels is None else self.to_pixels
        return functional.linear(latents, weight, self.bias).unflatten(1, self.image_shape)

    def encoder_layers(self) -> list[nn.Module]:
        return [self.to_latent]

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return [self.encode(images)[:, :, None, None]]
