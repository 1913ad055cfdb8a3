"""Average pooling to a grid as two small matrices.

The numbers of adaptive average pooling, whose backward pass is not deterministic on CUDA
(pytorch/pytorch#108341).
"""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor


def pool(maps: Float[Tensor, "b c h w"], grid: int) -> Float[Tensor, "b features"]:
    """Means over a grid x grid partition of the map (no finer than the map itself), flattened."""
    height, width = maps.shape[2:]
    down = averages(height, min(grid, height)).to(maps)
    across = averages(width, min(grid, width)).to(maps)
    return torch.einsum("bchw,ih,jw->bcij", maps, down, across).flatten(1)


@lru_cache(maxsize=32)
def averages(side: int, cells: int) -> Float[Tensor, "cells side"]:
    """Row i averages the positions of cell i; neighbouring cells share one where they must."""
    matrix = torch.zeros(cells, side)
    for cell in range(cells):
        first, last = cell * side // cells, -(-(cell + 1) * side // cells)
        matrix[cell, first:last] = 1 / (last - first)
    return matrix
