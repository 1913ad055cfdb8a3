"""Histograms of local binary patterns: no learning, and strong on textures.

Ojala, Pietikäinen & Mäenpää 2002, Multiresolution gray-scale and rotation invariant texture
classification with local binary patterns, IEEE PAMI 24. The square root: Arandjelović & Zisserman
2012, Three things everyone should know to improve object retrieval, CVPR.
"""

import math
from functools import cache
from itertools import product
from typing import Annotated, ClassVar, Literal, final

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Fixed
from ae_cls.dataset.contract import ImageShape
from ae_cls.errors import UsageError
from ae_cls.settings import OneOrMore

_NEIGHBOURS = 8
_KINDS = 59  # 58 patterns that change at most twice around the circle, and all others as one
_AS_BRIGHT = -1e-5  # a difference nearer to 0 than this is rounding: bytes differ by 4e-3
_AT_ONCE = 2**17  # pixels: few enough to stay in the processor's cache


@final
class LbpConfig(AutoencoderConfig):
    """Which of 8 neighbours are at least as bright as the pixel between them, by colour channel."""

    has_gradients: ClassVar[bool] = False
    decodes: ClassVar[bool] = False
    name: Literal["lbp"]
    radii: OneOrMore[Annotated[int, Field(ge=1)]] = Field(
        description="of the circles of neighbours, in pixels"
    )
    grid: int = Field(ge=1, le=32, description="cells on each side, beside the whole image")

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Lbp(image_shape, self)


@final
class Lbp(Fixed):
    """Code = square roots of the shares of each pattern, of the image and of each cell."""

    def __init__(self, image_shape: ImageShape, config: LbpConfig) -> None:
        super().__init__()
        self.image_shape, self.config = image_shape, config
        self.at_once = max(1, _AT_ONCE // math.prod(image_shape[1:]))
        side, radius = min(image_shape[1:]), max(config.radii)
        if side < 2 * radius + config.grid:
            raise UsageError(
                f"lbp counts pixels that are {radius} from every edge in {config.grid} cells a "
                f"side; {side} pixels are too few",
                where="autoencoder.radii, autoencoder.grid",
                fix="autoencoder.radii=[1] autoencoder.grid=1, or larger images",
            )

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        shares = [maps.flatten(1) for maps in self.feature_maps(images)]
        return torch.cat(shares, dim=1).sqrt()

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        raise NotImplementedError("lbp does not decode")

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        planes = images.flatten(0, 1)
        counts = torch.cat([self._counts(some) for some in planes.split(self.at_once)])
        cells = counts.unflatten(0, images.shape[:2]).flatten(1, 3).to(images.dtype)
        whole = [cells.sum((2, 3), keepdim=True)] if self.config.grid > 1 else []
        return [_shares(maps) for maps in (cells, *whole)]

    def _counts(self, planes: Float[Tensor, "n h w"]) -> Int64[Tensor, "n radii kinds grid grid"]:
        """How many pixels of each kind lie in each cell."""
        grid = self.config.grid
        return torch.stack([_counted(_kinds(planes, r), grid) for r in self.config.radii], dim=1)


def _shares(counts: Float[Tensor, "b kinds _ _"]) -> Float[Tensor, "b kinds _ _"]:
    """Of each kind in its cell, over all circles of a channel alike."""
    kinds = counts.unflatten(1, (-1, _KINDS))
    return (kinds / kinds.sum(2, keepdim=True)).flatten(1, 2)


def _kinds(planes: Float[Tensor, "n h w"], radius: int) -> Int64[Tensor, "n down across"]:
    """The kind of pattern around each pixel whose circle lies in the image."""
    down, across = (side - 2 * radius for side in planes.shape[1:])

    def moved(by: tuple[int, int]) -> Tensor:
        return planes[:, by[0] :, by[1] :][:, :down, :across]

    centre = moved((radius, radius))
    patterns = torch.zeros_like(centre, dtype=torch.uint8)
    for bit, weights in enumerate(_circle(radius)):
        neighbour = sum((weight * moved(by) for by, weight in weights), torch.zeros(()).to(planes))
        patterns |= (neighbour - centre >= _AS_BRIGHT).byte() << bit
    return _kind_of_each_pattern().to(planes.device)[patterns.long()]


def _counted(
    kinds: Int64[Tensor, "n down across"], grid: int
) -> Int64[Tensor, "n kinds grid grid"]:
    count, *sides = kinds.shape
    down, across = (torch.arange(side, device=kinds.device) * grid // side for side in sides)
    plane = torch.arange(count, device=kinds.device)[:, None, None]
    places = ((plane * _KINDS + kinds) * grid + down[:, None]) * grid + across
    shape = (count, _KINDS, grid, grid)
    return torch.bincount(places.flatten(), minlength=math.prod(shape)).view(shape)


@cache
def _circle(radius: int) -> list[list[tuple[tuple[int, int], float]]]:
    """Of each neighbour, the pixels around it, from the top left corner, with bilinear weights."""
    angles = [2 * math.pi * neighbour / _NEIGHBOURS for neighbour in range(_NEIGHBOURS)]
    places = [(radius - radius * math.sin(a), radius + radius * math.cos(a)) for a in angles]
    side = range(2 * radius + 1)
    pixels = list(product(side, side))
    weights = [[(pixel, _overlap(pixel, place)) for pixel in pixels] for place in places]
    return [[(pixel, weight) for pixel, weight in near if weight > 1e-9] for near in weights]


def _overlap(pixel: tuple[int, int], place: tuple[float, float]) -> float:
    return math.prod(max(0.0, 1 - abs(a - b)) for a, b in zip(pixel, place, strict=True))


def _kind_of_each_pattern() -> Int64[Tensor, "256"]:
    bits = torch.arange(2**_NEIGHBOURS)[:, None] >> torch.arange(_NEIGHBOURS) & 1
    uniform = (bits != bits.roll(1, dims=1)).sum(1) <= 2
    return torch.where(uniform, uniform.cumsum(0) - 1, _KINDS - 1)
