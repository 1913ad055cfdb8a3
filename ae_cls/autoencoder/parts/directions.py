"""How strong the gradients of an image are in each direction, cell by cell.

Dalal & Triggs 2005, Histograms of oriented gradients for human detection, CVPR.
"""

import math

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor


def histograms(
    images: Float[Tensor, "b c h w"], *, bins: int, cell: int, shared: bool
) -> Float[Tensor, "b bins down across"]:
    """Mean strength of the gradients in each of `bins` directions between 0 and 180 degrees.

    Args:
        images: of any range; rows and columns that fill no cell are left out.
        bins: the first begins at 0 degrees, where brightness changes from left to right.
        cell: side of a cell in pixels.
        shared: a gradient between the centres of two bins counts in both, linearly; else in the
            one that it lies in.
    """
    strength, direction = _strongest_gradient(images)
    place = direction / math.pi * bins
    votes = images.new_zeros(len(images), bins, *images.shape[2:])
    if shared:
        below = (place - 0.5).floor()
        part = place - 0.5 - below
        votes.scatter_(1, (below.long() % bins)[:, None], (strength * (1 - part))[:, None])
        votes.scatter_(1, ((below.long() + 1) % bins)[:, None], (strength * part)[:, None])
    else:
        votes.scatter_(1, place.long().clamp_(max=bins - 1)[:, None], strength[:, None])
    return functional.avg_pool2d(votes, cell)


def _strongest_gradient(
    images: Float[Tensor, "b c h w"],
) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"]]:
    """Length, and direction in [0, pi), of the steepest channel's central differences."""
    down, across = torch.zeros_like(images), torch.zeros_like(images)
    down[:, :, 1:-1] = images[:, :, 2:] - images[:, :, :-2]
    across[:, :, :, 1:-1] = images[:, :, :, 2:] - images[:, :, :, :-2]
    strength, down, across = _of_steepest(torch.hypot(down, across), down, across)
    return strength, torch.atan2(down, across) % math.pi


def _of_steepest(
    length: Float[Tensor, "b c h w"],
    down: Float[Tensor, "b c h w"],
    across: Float[Tensor, "b c h w"],
) -> list[Float[Tensor, "b h w"]]:
    """All three of the channel with the greatest length at each pixel, the first of equal ones.

    Channel by channel: `argmax` over so few took a seventh of a training step on a processor.
    """
    found, *others = zip(length.unbind(1), down.unbind(1), across.unbind(1), strict=True)
    for other in others:
        is_steeper = other[0] > found[0]
        found = [torch.where(is_steeper, *pair) for pair in zip(other, found, strict=True)]
    return list(found)
