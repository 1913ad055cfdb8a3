"""Average pooling to a grid as two small matrices.

The numbers of adaptive average pooling, whose backward pass is not deterministic on CUDA
(pytorch/pytorch#108341).
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor


def pool(maps: Float[Tensor, "b c h w"], grid: int) -> Float32[Tensor, "b features"]:
    """Means over a grid x grid partition of the map (no finer than the map itself), flattened."""
    height, width = maps.shape[2:]
    down = torch.from_numpy(averages(height, min(grid, height))).to(maps.device)
    across = torch.from_numpy(averages(width, min(grid, width))).to(maps.device)
    # Autocast would round the weights and means of these products to three digits.
    with torch.autocast(maps.device.type, enabled=False):
        # Channels last, as convolutions leave the maps: both products then read memory in order.
        last = maps.float().permute(0, 2, 3, 1)
        rows = (down @ last.flatten(2)).unflatten(2, last.shape[2:])
        return (across @ rows).permute(0, 3, 1, 2).flatten(1)


# Kept as NumPy arrays: a tensor made under inference mode could not be trained through later.
@lru_cache(maxsize=32)
def averages(side: int, cells: int) -> Float32[np.ndarray, "cells side"]:
    """Row i averages the positions of cell i; neighbouring cells share one where they must."""
    matrix = np.zeros((cells, side), np.float32)
    for cell in range(cells):
        first, last = cell * side // cells, -(-(cell + 1) * side // cells)
        matrix[cell, first:last] = 1 / (last - first)
    return matrix
