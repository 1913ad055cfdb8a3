"""The convolutional encoder trunk and decoder, shaped for matrix hardware.

Space-to-depth instead of a first layer at full resolution (few channels there are bound by memory,
not by arithmetic), strided 2x2 convolutions instead of pooling, and 1x1 convolution and pixel
shuffle, which compute a 2x2 stride-2 transposed convolution on the ordinary matrix path (Shi 2016,
arXiv 1609.05158).
"""

import math
from itertools import pairwise
from typing import final

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.dataset.contract import ImageShape
from ae_cls.errors import UsageError

_SMALLEST_MAP = 2  # side of the deepest map; below it a 3x3 convolution sees mostly padding


def patch_side(image_shape: ImageShape) -> int:
    """Side in pixels of the squares that space-to-depth folds into channels, by image size."""
    side = min(image_shape[1:])
    return 2 if side <= 64 else 4 if side <= 128 else 8


def map_sides(image_shape: ImageShape, *, patch: int, stages: int) -> tuple[int, int]:
    """Height and width of the deepest map; the image is padded to a multiple of the total stride.

    Raises:
        UsageError: the image is too small for so many stages.
    """
    stride = patch * 2 ** (stages - 1)
    height, width = (math.ceil(side / stride) for side in image_shape[1:])
    if min(height, width) < _SMALLEST_MAP:
        raise UsageError(
            f"images of {image_shape[1]}x{image_shape[2]} pixels are too small: the encoder folds "
            f"{patch}x{patch} pixels and halves {stages - 1} times, {height}x{width} would be left",
            where="autoencoder.widths, autoencoder.patch",
            fix="give fewer widths, a smaller patch, or larger images (dataset.image_size)",
        )
    return height, width


@final
class Trunk(nn.Module):
    """Images to one map a stage: width i at side / (patch x 2**i)."""

    def __init__(self, image_shape: ImageShape, *, widths: tuple[int, ...], patch: int) -> None:
        super().__init__()
        self.stride = patch * 2 ** (len(widths) - 1)
        self.unshuffle = nn.PixelUnshuffle(patch)
        folded = image_shape[0] * patch**2
        self.stages = nn.ModuleList([nn.Sequential(_conv(folded, widths[0], 3), _same(widths[0]))])
        for narrow, wide in pairwise(widths):
            self.stages.append(nn.Sequential(_conv(narrow, wide, 2), _same(wide), _same(wide)))

    def forward(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        # A one-channel image counts as both layouts and comes out of the unshuffle contiguous, so
        # the layout is set after it; every later layer keeps it.
        folded = self.unshuffle(pad_to_multiple(images, self.stride))
        maps = [folded.contiguous(memory_format=torch.channels_last)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


def pad_to_multiple(images: Float[Tensor, "b c h w"], multiple: int) -> Float[Tensor, "b c _ _"]:
    """The images with their right and lower edge repeated up to the next multiple."""
    height, width = images.shape[2:]
    right, below = -width % multiple, -height % multiple
    if not right and not below:
        return images
    return functional.pad(images, (0, right, 0, below), mode="replicate")


@final
class Decoder(nn.Module):
    """Codes to images: a linear layer to the deepest map, then up by two a stage."""

    def __init__(
        self, image_shape: ImageShape, *, latent_dim: int, widths: tuple[int, ...], patch: int
    ) -> None:
        super().__init__()
        self.image_shape = image_shape
        sides = map_sides(image_shape, patch=patch, stages=len(widths))
        self.map_shape = (widths[-1], *sides)
        self.from_latent = nn.Linear(latent_dim, math.prod(self.map_shape))
        going_up = tuple(reversed(widths))
        stages = [_up(wide, narrow) for wide, narrow in pairwise(going_up)]
        self.stages = nn.Sequential(*stages)
        self.to_pixels = nn.Conv2d(widths[0], image_shape[0] * patch**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(patch)

    def forward(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        deepest = functional.gelu(self.from_latent(latents)).unflatten(1, self.map_shape)
        deepest = deepest.contiguous(memory_format=torch.channels_last)
        images = self.shuffle(self.to_pixels(self.stages(deepest)))
        return images[:, :, : self.image_shape[1], : self.image_shape[2]]


def _conv(inputs: int, outputs: int, side: int) -> nn.Sequential:
    stride, padding = (2, 0) if side == 2 else (1, 1)
    convolution = nn.Conv2d(inputs, outputs, side, stride=stride, padding=padding, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.GELU())


def _same(width: int) -> nn.Sequential:
    return _conv(width, width, 3)


def _up(inputs: int, outputs: int) -> nn.Sequential:
    spread = nn.Conv2d(inputs, 4 * outputs, 1)
    # The four sub-pixel filters start equal, against checkerboards (ICNR, arXiv 1707.02937).
    with torch.no_grad():
        spread.weight.copy_(spread.weight[::4].repeat_interleave(4, 0))
        spread.bias.zero_()  # pyright: ignore[reportOptionalMemberAccess]
    smooth = nn.Conv2d(outputs, outputs, 3, padding=1)
    return nn.Sequential(spread, nn.PixelShuffle(2), nn.GELU(), smooth, nn.GELU())
