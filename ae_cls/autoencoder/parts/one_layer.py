"""A dense encoder and decoder of one layer each, which several variants share."""

from abc import ABC

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.autoencoder.parts.bases import Corrupting
from ae_cls.autoencoder.parts.corruption import Corruption
from ae_cls.autoencoder.parts.dense import Activation, activation_module, dense, pixel_count
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows

_CHUNK = 1024  # images at a time


class OneLayer(Corrupting, ABC):
    """units = activation(W x + b); image = V latents + c, with V = W transposed when tied."""

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        units: int,
        activation: Activation | None,
        tied: bool,
        corruption: Corruption,
    ) -> None:
        super().__init__()
        self.image_shape, self.corruption = image_shape, corruption
        pixels = pixel_count(image_shape)
        self.to_latent = dense(pixels, units, activation)
        self.activation = activation_module(activation) if activation else nn.Identity()
        self.bias = nn.Parameter(torch.zeros(pixels))
        untied = None if tied else nn.Parameter(dense(units, pixels, None).weight.data)
        self.to_pixels = untied

    def units(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """What the hidden units answer."""
        return self.activation(self.to_latent(images.flatten(1)))

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        weight = self.to_latent.weight.T if self.to_pixels is None else self.to_pixels
        return functional.linear(latents, weight, self.bias).unflatten(1, self.image_shape)

    def encoder_layers(self) -> list[nn.Module]:
        return [self.to_latent]

    @torch.no_grad()
    def centre(self, images: ImageRows) -> None:
        """Let each unit begin at 0 for the mean image, which is rebuilt as it is.

        Otherwise a bright mean image decides which units answer, and the others die: a quarter of
        the sparse units of Fashion-MNIST.
        """
        total = sum((c.double().sum(0) for c in images.batches(_CHUNK)), torch.zeros(1))
        mean = (total / len(images) / 255).flatten().to(self.bias)
        self.to_latent.bias.sub_(self.to_latent.weight @ mean)
        image = mean.view(1, *self.image_shape)
        self.bias.add_((image - self.decode(self.units(image))).flatten())
