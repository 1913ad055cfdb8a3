"""The convolutional encoder trunk and decoder, shaped for matrix hardware.

Space-to-depth takes the place of a first layer at full resolution, whose few channels would be
bound by memory, not by arithmetic. Norm and activation come after the pooling that ends a stage,
where a quarter of the numbers is left. The decoder paints a square of pixels from each cell of the
deepest map with one matrix product and a pixel shuffle (Shi 2016, arXiv 1609.05158), never with
transposed convolutions or full-resolution maps; masked autoencoders need no more (He 2021, arXiv
2111.06377, table 1).
"""

import math
from collections.abc import Callable
from typing import final

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.autoencoder.parts.code import from_code
from ae_cls.dataset.contract import ImageShape
from ae_cls.errors import UsageError

_SMALLEST_MAP = 2  # side of the deepest map; below it a 3x3 convolution sees mostly padding
# Digits of 8 pixels, linear head, validation, 5 seeds: folded, which leaves maps of 4 and 2 cells a
# side, 97.5 %; as they are 99.3, and with one convolution a stage 99.4, for a fifth of the time.
_TINY = 12


def patch_side(image_shape: ImageShape) -> int:
    """Side in pixels of the squares that space-to-depth folds into channels, by image size."""
    side = min(image_shape[1:])
    if side <= _TINY:
        return 1
    return 2 if side <= 64 else 4 if side <= 128 else 8


def depth_by_size(image_shape: ImageShape) -> int:
    """Convolutions in each stage, by image size."""
    return 1 if min(image_shape[1:]) <= _TINY else 2


def total_stride(*, patch: int, stages: int) -> int:
    """Side in pixels of the square that one cell of the deepest map stands for."""
    return patch * 2 ** (stages - 1)


def map_sides(image_shape: ImageShape, *, patch: int, stages: int) -> tuple[int, int]:
    """Height and width of the deepest map; the image is padded to a multiple of the total stride.

    Raises:
        UsageError: the image is too small for so many stages.
    """
    stride = total_stride(patch=patch, stages=stages)
    height, width = (math.ceil(side / stride) for side in image_shape[1:])
    if min(height, width) < _SMALLEST_MAP:
        raise UsageError(
            f"images of {image_shape[1]}x{image_shape[2]} pixels are too small: the encoder folds "
            f"{patch}x{patch} pixels and halves {stages - 1} times, {height}x{width} would be left",
            where="autoencoder.widths, autoencoder.patch",
            fix="use fewer widths, a smaller patch, or larger images (dataset.image_size)",
        )
    return height, width


@final
class Trunk(nn.Module):
    """Images to one map per stage.

    A stage is `depth` 3x3 convolutions; all stages but the last end with 2x2 max pooling, so map i
    has sides of 1 / (patch x 2**(i + 1)) of the image's, and the last two are of the same size.

    Attributes:
        widths: channels of the maps.
        patch: side in pixels of the squares folded into channels.
        outputs: channels of the deepest map.
        sides: its height and width.
        stride: side in pixels of the square that one cell of it stands for.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        widths: tuple[int, ...],
        depth: int,
        patch: int,
        norm: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        self.sides = map_sides(image_shape, patch=patch, stages=len(widths))
        self.widths, self.patch, self.outputs = widths, patch, widths[-1]
        self.stride = total_stride(patch=patch, stages=len(widths))
        self.unshuffle = nn.PixelUnshuffle(patch)
        inputs = image_shape[0] * patch**2
        self.stages = nn.ModuleList()
        for number, width in enumerate(widths, start=1):
            pooled = number < len(widths)
            self.stages.append(_stage(inputs, width, depth, pooled=pooled, norm=norm))
            inputs = width

    def forward(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return self.first_maps(images, len(self.stages))

    def first_maps(
        self, images: Float[Tensor, "b c h w"], count: int
    ) -> list[Float[Tensor, "b _ _ _"]]:
        """Those of the first so many stages; the others are not asked."""
        maps = [self.folded(images)]
        for stage in [*self.stages][:count]:
            maps.append(stage(maps[-1]))
        return maps[1:]

    def folded(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ _ _"]:
        """What the first stage sees."""
        # A one-channel image counts as both layouts and comes out of the unshuffle contiguous, so
        # the layout is set after it; every later layer keeps it.
        folded = self.unshuffle(pad_to_multiple(images, self.stride))
        return folded.contiguous(memory_format=torch.channels_last)


def enlarging(inputs: int, outputs: int, *, factor: int) -> nn.Sequential:
    """From a map to one with sides larger by this factor, from each cell alone; linear."""
    return nn.Sequential(nn.Conv2d(inputs, outputs * factor**2, 1), nn.PixelShuffle(factor))


def group_norm(width: int) -> nn.GroupNorm:
    """A norm that looks at one image alone, in at most eight groups of channels."""
    return nn.GroupNorm(math.gcd(width, 8), width)


def _stage(
    inputs: int, width: int, depth: int, *, pooled: bool, norm: Callable[[int], nn.Module]
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(1, depth + 1):
        layers.append(nn.Conv2d(inputs, width, 3, padding=1, bias=False))
        if pooled and number == depth:
            layers.append(nn.MaxPool2d(2))
        layers += [norm(width), nn.ReLU(inplace=True)]
        inputs = width
    return nn.Sequential(*layers)


def pad_to_multiple(images: Float[Tensor, "b c h w"], multiple: int) -> Float[Tensor, "b c _ _"]:
    """The images with their right and lower edge repeated up to the next multiple."""
    height, width = images.shape[2:]
    right, below = -width % multiple, -height % multiple
    if not right and not below:
        return images
    return functional.pad(images, (0, right, 0, below), mode="replicate")


@final
class Decoder(nn.Module):
    """Codes to images: linear to a map of `width` channels, then pixels cell by cell."""

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        latent_dim: int,
        code_cells: int,
        width: int,
        patch: int,
        stages: int,
    ) -> None:
        super().__init__()
        self.image_shape = image_shape
        sides = map_sides(image_shape, patch=patch, stages=stages)
        stride = total_stride(patch=patch, stages=stages)
        self.map_shape = (width, *sides)
        self.from_latent = from_code(width, sides, latent_dim=latent_dim, most=code_cells)
        self.to_pixels = nn.Sequential(
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * width, image_shape[0] * stride**2, 1),
            nn.PixelShuffle(stride),
        )

    @property
    def last(self) -> nn.Module:
        """The last layer with weights."""
        return self.to_pixels[-2]

    def forward(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        deepest = functional.relu(self.from_latent(latents)).unflatten(1, self.map_shape)
        images = self.to_pixels(deepest.contiguous(memory_format=torch.channels_last))
        return images[:, :, : self.image_shape[1], : self.image_shape[2]]
