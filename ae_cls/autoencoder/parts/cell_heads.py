"""Predict from a map what each of its cells looks like: what masked training can ask for.

Wei et al. 2022, Masked feature prediction for self-supervised visual pre-training, CVPR, arXiv
2112.09133, compare HOG with pixels.
"""

from abc import ABC, abstractmethod
from typing import Literal, final

import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.autoencoder.parts.blocks import pad_to_multiple
from ae_cls.autoencoder.parts.cells import BINS, hog_of_cells, normalised, pixels_of_cells
from ae_cls.autoencoder.parts.losses import weighted_mean_squared_error

Target = Literal["pixels", "normalised", "hog", "both"]


class CellHead(nn.Module, ABC):
    """Numbers for each cell of a map, and what they should be.

    Attributes:
        cell: side in pixels of the square that one cell of the map stands for.
    """

    cell: int

    @abstractmethod
    def forward(self, maps: Float[Tensor, "b _ h w"]) -> Float[Tensor, "b _ h w"]:
        """Predictions."""

    @abstractmethod
    def target(self, images: Float[Tensor, "b c _ _"]) -> Float[Tensor, "b _ _ _"]:
        """The numbers of clean images."""

    def error(
        self,
        maps: Float[Tensor, "b _ _ _"],
        images: Float[Tensor, "b c h w"],
        weight: Float[Tensor, "#b #c #h #w"],
    ) -> Float[Tensor, ""]:
        """Mean squared error over cells and numbers.

        Args:
            maps: of what has been seen.
            images: clean.
            weight: of each pixel; a cell counts as its pixels do on average.
        """
        pixels = weight.mean(1, keepdim=True).expand(-1, -1, *images.shape[2:])
        cells = functional.avg_pool2d(pad_to_multiple(pixels, self.cell), self.cell)
        return weighted_mean_squared_error(self(maps), self.target(images), cells)


@final
class HogHead(CellHead):
    """The histogram of gradient directions of a cell's pixels."""

    def __init__(self, inputs: int, *, cell: int) -> None:
        super().__init__()
        self.cell = cell
        self.to_hog = _dense_in_each_cell(inputs, BINS)

    def forward(self, maps: Float[Tensor, "b _ h w"]) -> Float[Tensor, "b 9 h w"]:
        return self.to_hog(maps)

    def target(self, images: Float[Tensor, "b c _ _"]) -> Float[Tensor, "b 9 _ _"]:
        return hog_of_cells(images, self.cell)


@final
class PixelHead(CellHead):
    """A cell's pixels, as they are or without the cell's mean and contrast."""

    def __init__(self, inputs: int, *, cell: int, channels: int, normalised: bool) -> None:
        super().__init__()
        self.cell, self.normalised = cell, normalised
        self.to_pixels = _dense_in_each_cell(inputs, channels * cell**2)

    def forward(self, maps: Float[Tensor, "b _ h w"]) -> Float[Tensor, "b _ h w"]:
        return self.to_pixels(maps)

    def target(self, images: Float[Tensor, "b c _ _"]) -> Float[Tensor, "b _ _ _"]:
        cells = pixels_of_cells(images, self.cell)
        return normalised(cells, dim=1) if self.normalised else cells


@final
class CellHeads(nn.Module):
    """One head or two: pixels as they are, pixels normalised by cell, HOG, or the last two."""

    def __init__(self, target: Target, inputs: int, *, cell: int, channels: int) -> None:
        super().__init__()
        self.pixels = self.hog = None
        if target != "hog":
            self.pixels = PixelHead(
                inputs, cell=cell, channels=channels, normalised=target != "pixels"
            )
        if target in ("hog", "both"):
            self.hog = HogHead(inputs, cell=cell)

    def errors(
        self,
        maps: Float[Tensor, "b _ _ _"],
        images: Float[Tensor, "b c h w"],
        weight: Float[Tensor, "#b #c #h #w"],
    ) -> dict[str, Float[Tensor, ""]]:
        """Of each head, by name; as `CellHead.error`."""
        heads = {"cells": self.pixels, "hog": self.hog}
        return {name: head.error(maps, images, weight) for name, head in heads.items() if head}


def _dense_in_each_cell(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 1), nn.ReLU(inplace=True), nn.Conv2d(inputs, outputs, 1)
    )
