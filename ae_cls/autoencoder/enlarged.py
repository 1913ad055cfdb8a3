"""A convolution of maps that are twice as large, without making them larger.

Where each pixel stands four times, a 3x3 window covers only 2x2 different ones; which taps share
one depends on the place within the four. So one 2x2 convolution with four times the channels gives
the same numbers with 4/9 of the operations and a quarter of the map. The other way round, that a
convolution at low resolution stands for an enlarged one: Shi et al. 2016, arXiv 1609.07009.
"""

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn


def convolve_enlarged(
    maps: Float[Tensor, "b c h w"], convolution: nn.Conv2d
) -> Float[Tensor, "b o _ _"]:
    """The 3x3 convolution, padded by 1, of the maps enlarged to (2 h, 2 w) by repeating pixels."""
    assert convolution.kernel_size == (3, 3) and convolution.padding == (1, 1)
    assert convolution.bias is not None
    outputs = convolution.out_channels
    # Channels in the order: column within the four, row within the four, output.
    kernels = _shared_taps(_shared_taps(convolution.weight, 2), 4).flatten(0, 2)
    kernels = kernels.contiguous(memory_format=torch.channels_last)
    found = functional.conv2d(maps, kernels, convolution.bias.repeat(4), padding=1)
    height, width = maps.shape[2:]
    last = found.movedim(1, 3).unflatten(3, (2, 2, outputs))  # b, h + 1, w + 1, column, row, o
    rows = [
        torch.stack([last[:, y : y + height, x : x + width, x, y] for x in (0, 1)], dim=3)
        for y in (0, 1)
    ]
    whole = torch.stack(rows, dim=2)  # b, h, row, w, column, o
    return whole.view(len(maps), 2 * height, 2 * width, outputs).movedim(3, 1)


def _shared_taps(kernels: Float[Tensor, "..."], dim: int) -> Float[Tensor, "2 ..."]:
    """The two taps along `dim` that three become, for the first and for the second pixel of two."""
    before, here, after = kernels.unbind(dim)
    return torch.stack(
        [torch.stack([before, here + after], dim), torch.stack([before + here, after], dim)]
    )
