"""Several dense layers with a linear code.

Hinton & Salakhutdinov 2006, Reducing the dimensionality of data with neural networks, Science 313.
"""

from functools import partial
from itertools import pairwise
from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig, Layer
from ae_cls.autoencoder.parts.bases import Reconstructing
from ae_cls.autoencoder.parts.corruption import CorruptionChoice
from ae_cls.autoencoder.parts.dense import Activation, activation_module, dense, pixel_count
from ae_cls.autoencoder.parts.losses import reconstruction_loss
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws
from ae_cls.settings import Width
from ae_cls.train.loss import Loss


@final
class DeepConfig(AutoencoderConfig):
    """A stack of dense layers; the decoder mirrors the encoder."""

    is_stack: ClassVar[bool] = True
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

    def layers(self) -> list[Layer]:
        pairs = zip(self.encoder_layers(), [*self.decoder][::-1], strict=True)
        return [
            Layer(pair, partial(self._loss_of_layer, number, *pair))
            for number, pair in enumerate(pairs)
        ]

    def _loss_of_layer(
        self,
        number: int,
        encoder: nn.Module,
        decoder: nn.Module,
        images: Float[Tensor, "b c h w"],
        draws: Draws,
        progress: float,
    ) -> Loss:
        below = self._below(number, images)
        seen = self.corruption.apply(below, draws)
        output = decoder(encoder(seen.images.flatten(1))).view_as(below)
        return reconstruction_loss(output, below, seen.weight)

    @torch.no_grad()
    def _below(self, number: int, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ _ _"]:
        """What the layer of this number is given: images, or codes as images of one column."""
        if number == 0:
            return images
        code = images.flatten(1)
        for stage in [*self.stages][:number]:
            code = stage(code)
        return code[:, None, :, None]

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
