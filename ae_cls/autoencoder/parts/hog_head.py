"""Predicts gradient directions (HOG) from the deepest map: what else training can ask for.

Wei et al. 2022, Masked feature prediction for self-supervised visual pre-training, CVPR, arXiv
2112.09133.
"""

from typing import final

import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.autoencoder.parts.blocks import Trunk, pad_to_multiple
from ae_cls.autoencoder.parts.directions import histograms
from ae_cls.autoencoder.parts.losses import weighted_mean_squared_error

_BINS = 9
_FLAT = 0.01  # mean gradient of a cell that is hardly more than rounding to bytes


@final
class HogHead(nn.Module):
    """From each cell of the deepest map, the histogram of gradient directions of its pixels."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.cell = trunk.stride
        self.to_hog = nn.Sequential(
            nn.Conv2d(trunk.outputs, trunk.outputs, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(trunk.outputs, _BINS, 1),
        )

    def forward(self, deepest: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 9 h w"]:
        return self.to_hog(deepest)

    def error(
        self,
        deepest: Float[Tensor, "b _ _ _"],
        images: Float[Tensor, "b c h w"],
        weight: Float[Tensor, "#b #c #h #w"],
    ) -> Float[Tensor, ""]:
        """Mean squared error over cells and directions.

        Args:
            deepest: the trunk's last map of what it has seen.
            images: clean.
            weight: of each pixel; a cell counts as its pixels do on average.
        """
        pixels = weight.mean(1, keepdim=True).expand(-1, -1, *images.shape[2:])
        cells = functional.avg_pool2d(pad_to_multiple(pixels, self.cell), self.cell)
        return weighted_mean_squared_error(self(deepest), hog_of_cells(images, self.cell), cells)


def hog_of_cells(images: Float[Tensor, "b c h w"], cell: int) -> Float[Tensor, "b 9 _ _"]:
    """Histograms of length 1, less where a cell is flat; the last cells are filled up."""
    found = histograms(pad_to_multiple(images, cell), bins=_BINS, cell=cell, shared=True)
    return found / (found.square().sum(1, keepdim=True) + _FLAT**2).sqrt()
