"""Batched augmentation with draws of its own for every image.

Random transforms of torchvision draw one set of parameters for a whole batch (vision#2929), so
these few operations are written on batches. All are off at 0.
"""

import math
from typing import final

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.draws import Draws
from ae_cls.settings import Settings


@final
class Augment(Settings):
    """Changes that keep the class of an image."""

    flip: bool | None = Field(
        description="mirror every other image; null: where the data set says that is right"
    )
    shift: float = Field(ge=0, le=0.5, description="largest shift as a share of the side")
    scale: float = Field(ge=0, lt=1, description="largest zoom in or out: 0.1 is 0.9 to 1.1")
    # Models that were saved before there were these two neither turned nor slanted.
    rotate: float = Field(default=0.0, ge=0, le=180, description="largest turn in degrees")
    shear: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="largest slant: how far rows move aside, as a share of their height",
    )
    brightness: float = Field(ge=0, le=1, description="largest change; the full pixel range is 1")
    erase: float = Field(ge=0, le=1, description="share of the images with an erased rectangle")

    def for_dataset(self, *, mirrored_is_same: bool) -> "Augment":
        """The same with `flip` decided."""
        if self.flip is not None:
            return self
        return self.model_copy(update={"flip": mirrored_is_same})

    def apply(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Float[Tensor, "b c h w"]:
        """The batch with each image changed by its own draws."""
        images = self._moved(images, draws)
        if self.brightness:
            change = (2 * draws.uniform("brightness", 1) - 1) * self.brightness
            images = (images + change[:, :, None, None]).clamp_(0, 1)
        return self._erased(images, draws) if self.erase else images

    def _moved(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Float[Tensor, "b c h w"]:
        if not (self.shift or self.scale or self.rotate or self.shear):
            return self._mirrored(images, draws) if self.flip else images
        uniform = 2 * draws.uniform("geometry", 3) - 1
        # Whole pixels: a shift by a part of one would blur. A grid coordinate of 2 is a whole side.
        sides = torch.tensor(images.shape[:1:-1], device=images.device)
        shift = (uniform[:, :2] * self.shift * sides).round() * 2 / sides
        zoom = 1 + uniform[:, 2] * self.scale
        mirror = self._mirror_signs(images, draws) if self.flip else torch.ones_like(zoom)
        turned = self._turned(draws)
        # Across and down are counted in sides, which need not be equally long.
        down, across = sides[1] / sides[0], sides[0] / sides[1]
        rows = [
            zoom * mirror * turned[0], zoom * turned[1] * down, shift[:, 0],
            zoom * mirror * turned[2] * across, zoom * turned[3], shift[:, 1],
        ]  # fmt: skip
        grid = functional.affine_grid(
            torch.stack(rows, 1).view(-1, 2, 3), list(images.shape), align_corners=False
        )
        return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _turned(self, draws: Draws) -> Float[Tensor, "4 b"]:
        """The matrix of a turn and, before it, a slant, row by row."""
        turn, slant = (2 * draws.uniform("turn", 2) - 1).T
        angle, slant = turn * math.radians(self.rotate), slant * self.shear
        cosine, sine = angle.cos(), angle.sin()
        return torch.stack([cosine, cosine * slant - sine, sine, sine * slant + cosine])

    def _mirrored(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Tensor:
        mirror = self._mirror_signs(images, draws)[:, None, None, None] < 0
        return torch.where(mirror, images.flip(3), images)

    def _mirror_signs(self, images: Tensor, draws: Draws) -> Float[Tensor, " b"]:
        return 1 - 2 * (draws.uniform("flip", 1)[:, 0] < 0.5).to(images.dtype)

    def _erased(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Tensor:
        """Rectangles of 2 to 33 % of the area, sides 1:3 to 3:1, in mean grey (Zhong 2017)."""
        height, width = images.shape[2:]
        uniform = draws.uniform("erase", 5)
        area = (0.02 + 0.31 * uniform[:, 0]) * height * width
        ratio = torch.exp((2 * uniform[:, 1] - 1) * math.log(3.0))
        tall, wide = (area * ratio).sqrt(), (area / ratio).sqrt()
        rows = _within(height, tall, uniform[:, 2])[:, :, None]
        columns = _within(width, wide, uniform[:, 3])[:, None, :]
        chosen = (uniform[:, 4] < self.erase)[:, None, None]
        mask = (rows & columns & chosen)[:, None]
        return torch.where(mask, images.mean((1, 2, 3), keepdim=True), images)


def _within(side: int, length: Float[Tensor, " b"], place: Float[Tensor, " b"]) -> Tensor:
    """Which positions of a side lie in a stretch of `length`, at a share `place` of the room."""
    positions = torch.arange(side, device=length.device)[None, :]
    start = (place * (side - length).clamp_min(0)).round()[:, None]
    return (positions >= start) & (positions < start + length.round().clamp_min(1)[:, None])
