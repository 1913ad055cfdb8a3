"""The convolutional autoencoder of the tutorials, against which speed and accuracy are measured.

Masci, Meier, Ciresan & Schmidhuber 2011, Stacked convolutional auto-encoders for hierarchical
feature extraction, ICANN: convolution and max pooling, and their mirror.
"""

import math
from itertools import pairwise
from typing import Literal, final

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Reconstructing
from ae_cls.autoencoder.parts.blocks import map_sides, pad_to_multiple
from ae_cls.autoencoder.parts.corruption import CorruptionChoice
from ae_cls.autoencoder.parts.enlarged import convolve_enlarged
from ae_cls.dataset.contract import ImageShape
from ae_cls.settings import Width


@final
class TextbookConfig(AutoencoderConfig):
    """Convolution and pooling at full resolution, a dense code, upsampling and convolution."""

    name: Literal["textbook"]
    widths: tuple[Width, ...] = Field(
        min_length=1,
        max_length=64,
        description="channels of each convolution; 2x2 max pooling follows it",
    )
    latent_dim: int = Field(ge=1, description="numbers in the code")
    corruption: CorruptionChoice

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Textbook(image_shape, self)

    def small(self) -> AutoencoderConfig:
        return self.model_copy(update={"widths": (8, 16), "latent_dim": 16})


@final
class Textbook(Reconstructing):
    """Each width a 3x3 convolution, ReLU and pooling; the decoder mirrors them."""

    def __init__(self, image_shape: ImageShape, config: TextbookConfig) -> None:
        super().__init__()
        self.image_shape, self.corruption = image_shape, config.corruption
        self.channels = channels = (image_shape[0], *config.widths)
        sides = map_sides(image_shape, patch=2, stages=len(config.widths))
        self.map_shape = (channels[-1], *sides)
        self.down = nn.ModuleList([nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(channels)])
        self.to_latent = nn.Linear(math.prod(self.map_shape), config.latent_dim)
        self.from_latent = nn.Linear(config.latent_dim, math.prod(self.map_shape))
        mirrored = pairwise(reversed(channels))
        self.up = nn.ModuleList([nn.Conv2d(a, b, 3, padding=1) for a, b in mirrored])
        # A one-channel image counts as both layouts; the weights' layout decides then, and the
        # other one takes half as long again.
        self.down.to(memory_format=torch.channels_last)

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self.to_latent(self.feature_maps(images)[-1].flatten(1))

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        maps = self.from_latent(latents).unflatten(1, self.map_shape)
        maps = maps.contiguous(memory_format=torch.channels_last)
        for convolution in self.up:
            assert isinstance(convolution, nn.Conv2d)
            maps = convolve_enlarged(functional.relu(maps), convolution)
        return maps[:, :, : self.image_shape[1], : self.image_shape[2]]

    def encoder_layers(self) -> list[nn.Module]:
        return [*self.down, self.to_latent]

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        images = pad_to_multiple(images, 2 ** len(self.down))
        maps = [images.contiguous(memory_format=torch.channels_last)]
        for convolution in self.down:
            # Pooling first gives the same numbers as ReLU first, from a quarter of the work.
            maps.append(functional.relu(functional.max_pool2d(convolution(maps[-1]), 2)))
        return maps[1:]
