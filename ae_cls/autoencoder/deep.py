"""Several dense layers with a linear code.

Hinton & Salakhutdinov 2006, Reducing the dimensionality of data with neural networks, Science 313.
"""

from itertools import pairwise
from typing import Literal, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Reconstructing
from ae_cls.autoencoder.parts.corruption import CorruptionChoice
from ae_cls.autoencoder.parts.dense import Activation, activation_module, dense, pixel_count
from ae_cls.dataset.contract import ImageShape
from ae_cls.settings import Width


@final
class DeepConfig(AutoencoderConfig):
    """A stack of dense layers; the decoder mirrors the encoder."""

    name: Literal["deep"]
    widths: tuple[Width, ...] = Field(
        min_length=1, max_length=64, description="units of the hidden layers, in order"
    )
    latent_dim: int = Field(ge=1, description="numbers in the code")
    activation: Activation = Field(description="of the hidden layers; the code is linear")
    corruption: CorruptionChoice

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Deep(image_shape, self)

    def small(self) -> AutoencoderConfig:
        return self.model_copy(update={"widths": (64, 32)})


@final
class Deep(Reconstructing):
    """pixels - widths - latent_dim - reversed widths - pixels."""

    def __init__(self, image_shape: ImageShape, config: DeepConfig) -> None:
        super().__init__()
        self.image_shape, self.corruption = image_shape, config.corruption
        pixels, widths, activation = pixel_count(image_shape), config.widths, config.activation
        self.stages = _hidden_layers((pixels, *widths), activation)
        self.to_latent = dense(widths[-1], config.latent_dim, None)
        self.decoder = nn.Sequential(
            *_hidden_layers((config.latent_dim, *reversed(widths)), activation),
            dense(widths[0], pixels, None),
        )

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self.to_latent(self._hidden(images)[-1])

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        return self.decoder(latents).unflatten(1, self.image_shape)

    def encoder_layers(self) -> list[nn.Module]:
        return [*self.stages, self.to_latent]

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return [hidden[:, :, None, None] for hidden in self._hidden(images)]

    def _hidden(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _"]]:
        hidden = [images.flatten(1)]
        for stage in self.stages:
            hidden.append(stage(hidden[-1]))
        return hidden[1:]


def _hidden_layers(widths: tuple[int, ...], activation: Activation) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Sequential(dense(inputs, outputs, activation), activation_module(activation))
        for inputs, outputs in pairwise(widths)
    )
