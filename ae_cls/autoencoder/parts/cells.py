"""What masked training can ask of the square cells of an image, one row of numbers a cell."""

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor

from ae_cls.autoencoder.parts.blocks import pad_to_multiple
from ae_cls.autoencoder.parts.directions import histograms

BINS = 9
"""Directions of HOG."""

_FLAT_VARIANCE = 1e-6  # as in masked autoencoders: a cell of one colour has none
_FLAT_GRADIENT = 0.01  # mean of a cell that is hardly more than rounding to bytes


def pixels_of_cells(images: Float[Tensor, "b c h w"], cell: int) -> Float[Tensor, "b n _ _"]:
    """By channel, row and column; the last cells are filled up."""
    return functional.pixel_unshuffle(pad_to_multiple(images, cell), cell)


def normalised(cells: Float[Tensor, "..."], *, dim: int) -> Float[Tensor, "..."]:
    """Each cell with mean 0 and variance 1 along `dim`, less where it is flat.

    He et al. 2021, arXiv 2111.06377, section 4.1: a better target than the pixels themselves.
    """
    correction = int(cells.shape[dim] > 1)
    variances, means = torch.var_mean(cells, dim, correction=correction, keepdim=True)
    return (cells - means) / (variances + _FLAT_VARIANCE).sqrt()


def hog_of_cells(images: Float[Tensor, "b c h w"], cell: int) -> Float[Tensor, "b 9 _ _"]:
    """Histograms of length 1, less where a cell is flat; the last cells are filled up."""
    strengths = histograms(pad_to_multiple(images, cell), bins=BINS, cell=cell, shared=True)
    return strengths / (strengths.square().sum(1, keepdim=True) + _FLAT_GRADIENT**2).sqrt()
