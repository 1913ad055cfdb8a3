"""A convolutional decoder that doubles the sides of a map step by step until it is an image."""

import math
from typing import final

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.dataset.contract import ImageShape

_FEWEST_CHANNELS = 16


@final
class Upward(nn.Module):
    """Maps to images of any size.

    A step is a 1x1 convolution with a pixel shuffle, which is a transposed convolution as matrix
    hardware likes it, and a 3x3 one; it has half the channels of the step before. At the end
    squares of pixels are painted from each cell.

    Args:
        map_shape: of the maps.
        image_shape: of the images.
        width: channels of the first step.
    """

    def __init__(
        self, map_shape: tuple[int, int, int], image_shape: ImageShape, *, width: int
    ) -> None:
        super().__init__()
        self.sides = image_shape[1:]
        channels = map_shape[0]
        factor = enlargement(map_shape, image_shape)
        square = min(factor, 2 if factor <= 8 else 4)
        missing = (math.ceil(side / factor) - cells for side, cells in zip(
            image_shape[1:], map_shape[1:], strict=True))  # fmt: skip
        self.below, self.right = (max(0, cells) for cells in missing)
        self.steps = nn.Sequential()
        for number in range(int(math.log2(factor // square))):
            outputs = max(width // 2**number, _FEWEST_CHANNELS)
            self.steps.append(_step(channels, outputs))
            channels = outputs
        self.to_pixels = nn.Sequential(
            nn.Conv2d(channels, image_shape[0] * square**2, 3, padding=1), nn.PixelShuffle(square)
        )

    def forward(self, maps: Float[Tensor, "b _ _ _"]) -> Float[Tensor, "b c h w"]:
        maps = functional.pad(maps, (0, self.right, 0, self.below))
        images = self.to_pixels(self.steps(maps.contiguous(memory_format=torch.channels_last)))
        return images[:, :, : self.sides[0], : self.sides[1]]


def enlargement(map_shape: tuple[int, int, int], image_shape: ImageShape) -> int:
    """Pixels a side of a cell: the nearest power of two, as networks round odd maps up or down."""
    return 2 ** round(math.log2(max(image_shape[1:]) / max(map_shape[1:])))


def _step(inputs: int, outputs: int) -> nn.Sequential:
    enlarge = nn.Conv2d(inputs, 4 * outputs, 1)
    # The four pixels of a cell begin alike, or the image would begin as a chessboard (Aitken et al.
    # 2017, arXiv 1707.02937).
    with torch.no_grad():
        for weights in (enlarge.weight, enlarge.bias):
            assert weights is not None
            weights.copy_(weights[::4].repeat_interleave(4, 0))
    return nn.Sequential(
        enlarge,
        nn.PixelShuffle(2),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
    )
