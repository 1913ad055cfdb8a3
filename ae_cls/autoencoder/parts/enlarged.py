"""A convolution of maps that are twice as large, without making them larger.

Where each pixel is repeated four times, a 3x3 window covers only 2x2 different ones; which taps
share one depends on the position within the four. So one 2x2 convolution with four times the
channels gives the same numbers with 4/9 of the operations and a quarter of the map. The converse,
that a convolution at low resolution equals one of enlarged maps: Shi et al. 2016, arXiv 1609.07009.
"""

from typing import Any, final

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
    quarters = functional.conv2d(maps, kernels, convolution.bias.repeat(4), padding=1)
    woven = _Woven.apply(quarters.movedim(1, 3).unflatten(3, (2, 2, outputs)))
    assert isinstance(woven, Tensor)
    return woven.movedim(3, 1)


@final
class _Woven(torch.autograd.Function):
    """The four maps of (b, h + 1, w + 1, column, row, o) as every second pixel of (b, 2h, 2w, o).

    Autograd's own backward pass clears four maps and adds them up, which takes five times as long.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        batch, height, width, *_, outputs = ctx.shape = maps.shape
        woven = maps.new_empty(batch, 2 * (height - 1), 2 * (width - 1), outputs)
        for column, row in _PLACES:
            woven[:, row::2, column::2] = _seen_from(maps, column, row)
        return woven

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        maps = slopes[0].new_zeros(ctx.shape)
        for column, row in _PLACES:
            _seen_from(maps, column, row).copy_(slopes[0][:, row::2, column::2])
        return maps


_PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))


def _seen_from(maps: Tensor, column: int, row: int) -> Tensor:
    """The windows that begin a pixel before their own one, or on it."""
    height, width = maps.shape[1] - 1, maps.shape[2] - 1
    return maps[:, row : row + height, column : column + width, column, row]


def _shared_taps(kernels: Float[Tensor, "..."], dim: int) -> Float[Tensor, "2 ..."]:
    """The two taps along `dim` that three become, for the first and for the second pixel of two."""
    before, here, after = kernels.unbind(dim)
    return torch.stack(
        [torch.stack([before, here + after], dim), torch.stack([before + here, after], dim)]
    )
