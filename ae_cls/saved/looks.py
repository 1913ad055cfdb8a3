"""What can be seen of a picture without knowing what is in it: how bright it is, how sharp."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor


@final
@dataclass(frozen=True)
class Look:
    """A number that pictures differ in, and how its extremes are called.

    Attributes:
        more: what pictures are called that have more of it.
        less: those that have less.
        least: the smallest difference that counts, in its own unit.
    """

    more: str
    less: str
    least: float


_GREY = {
    "brightness": Look("brighter", "darker", 0.02),
    "border": Look("brighter at the border", "darker at the border", 0.02),
    "contrast": Look("richer in contrast", "poorer in contrast", 0.02),
    "sharpness": Look("sharper", "more blurred", 0.02),
    "grain": Look("grainier", "smoother", 0.01),
    "extremes": Look("richer in pure black or white", "poorer in pure black or white", 0.02),
}
_COLOUR = {"colour": Look("more colourful", "less colourful", 0.02)}
_LEAST_CONTRAST = 2 / 255
"""Below it edges are divided by it: a plain picture has no sharpness."""


def looks_of(channels: int) -> dict[str, Look]:
    """The columns of `measured`, in order."""
    return _GREY if channels == 1 else _GREY | _COLOUR


def measured(images: UInt8[Tensor, "b c h w"]) -> Float32[Tensor, "b s"]:
    """One row an image; all are in the unit in which black is 0 and white is 1.

    brightness: mean; border: mean of the outermost pixels; contrast: standard deviation;
    sharpness: mean absolute Laplacian, divided by the contrast; grain: median absolute Laplacian;
    extremes: share of values that are 0 or 255; colour: mean of the largest minus the smallest
    channel.
    """
    grey = images.to(torch.float32).mean(1) / 255
    mean = grey.mean((1, 2))
    contrast = (grey.square().mean((1, 2)) - mean.square()).clamp(min=0).sqrt()
    edges = _laplacian(grey).abs().flatten(1)
    columns = [
        mean,
        outermost(grey[:, None]).mean((1, 2)),
        contrast,
        edges.mean(1) / contrast.clamp(min=_LEAST_CONTRAST),
        torch.from_numpy(_median(edges.numpy())),
        _extremes(images),
    ]
    if images.shape[1] > 1:
        columns.append((images.amax(1) - images.amin(1)).to(torch.float32).mean((1, 2)) / 255)
    return torch.stack(columns, 1)


def _median(values: Float32[np.ndarray, "b n"]) -> Float32[np.ndarray, " b"]:
    # The lower one of two; twice as fast as torch's.
    middle = (values.shape[1] - 1) // 2
    return np.partition(values, middle, axis=1)[:, middle]


def _extremes(images: UInt8[Tensor, "b c h w"]) -> Float32[Tensor, " b"]:
    flat = images.flatten(1)
    # As bytes, 0 - 1 is 255: one comparison for both.
    return (flat - 1 >= 254).sum(1, dtype=torch.float32) / flat.shape[1]


def outermost(images: Tensor) -> Tensor:
    """The outermost pixels of images (b, c, h, w), as (b, c, pixels)."""
    rows = [images[..., 0, :], images[..., -1, :]]
    columns = [images[..., 1:-1, 0], images[..., 1:-1, -1]]
    return torch.cat([*rows, *columns], -1)


def _laplacian(grey: Float32[Tensor, "b h w"]) -> Tensor:
    middle = grey[:, 1:-1, 1:-1]
    beside = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    return 4 * middle - beside
