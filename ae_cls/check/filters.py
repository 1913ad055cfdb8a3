"""Features that take seconds: how much each part of an image resembles some whitened patches.

Coates & Ng 2011, The importance of encoding versus training with sparse coding and vector
quantization, ICML: patches drawn from the images, whitened, are nearly as good a dictionary as one
that was learnt. Here they are convolved, their responses cut off below a threshold and averaged
over the cells of a grid.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, interpolate, relu, unfold

from ae_cls.dataset.rows import ImageRows
from ae_cls.machine.threads import eigenvectors

LARGEST_SIDE = 32
"""Pixels to which larger images are shrunk: labels tell objects apart, not textures."""

_FILTERS = 32
_STRIDE, _FINE = 2, 16  # pixels between two places of a patch, but 1 in images with shorter sides
_LARGEST_PATCH = 6  # pixels a side
_SEEN = 2000  # images of which patches are drawn
_PATCHES = 20_000
_LEAST_CONTRAST = 0.02  # standard deviation of a patch that shows something; the full range is 1
_NOISE = 0.1  # share of the mean variance that is added to each direction: whitening needs a floor
_THRESHOLD = 0.25  # of a response, in standard deviations
_FLOOR = 0.1  # share of the mean deviation below which a feature is not scaled up


@final
@dataclass(frozen=True)
class Filters:
    """Patches to convolve with, and what brings their responses to mean 0 and deviation 1.

    Attributes:
        kernels: whitened patches; responses have a standard deviation of 1.
        cells: of the grid, along each side.
        mean: of each feature.
        scale: its standard deviation.
    """

    kernels: Float[Tensor, "filters c patch patch"]
    cells: int
    mean: Float[Tensor, " d"]
    scale: Float[Tensor, " d"]

    def features(self, images: UInt8[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Of a batch."""
        return (_responses(_small(images), self.kernels, self.cells) - self.mean) / self.scale


def draw_filters(images: ImageRows, cells: int, generator: torch.Generator) -> Filters | None:
    """Filters of these images; None where hardly any of them shows anything.

    Args:
        images: to draw patches from.
        cells: of the grid, along each side.
        generator: of the draws.
    """
    some = _small(images.take(torch.randperm(len(images), generator=generator)[:_SEEN].sort()[0]))
    side = min(some.shape[2:])
    patch = min(_LARGEST_PATCH, max(3, side // 4))
    patches = _patches(some, patch, generator)
    if len(patches) < _FILTERS:
        return None
    kernels = _whitened(patches).unflatten(1, (some.shape[1], patch, patch))
    kernels = kernels / conv2d(some, kernels).std().clamp_min(1e-6)
    responses = _responses(some, kernels, cells)
    deviation = responses.std(0)
    return Filters(
        kernels, cells, responses.mean(0), deviation + _FLOOR * deviation.mean().clamp_min(1e-6)
    )


def _small(images: UInt8[Tensor, "b c h w"]) -> Float[Tensor, "b c _ _"]:
    pixels = images.float() / 255
    longest = max(pixels.shape[2:])
    if longest <= LARGEST_SIDE:
        return pixels
    height, width = (max(4, round(side * LARGEST_SIDE / longest)) for side in pixels.shape[2:])
    return interpolate(pixels, (height, width), mode="bilinear", antialias=True)


def _patches(
    images: Float[Tensor, "b c h w"], patch: int, generator: torch.Generator
) -> Float[Tensor, "_ numbers"]:
    """Some that show something, without their mean."""
    patches = unfold(images, patch).transpose(1, 2).flatten(0, 1)
    patches = patches[torch.randperm(len(patches), generator=generator)[:_PATCHES]]
    patches = patches - patches.mean(1, keepdim=True)
    return patches[patches.std(1) > _LEAST_CONTRAST]


def _whitened(patches: Float[Tensor, "n numbers"]) -> Float[Tensor, "filters numbers"]:
    """The first patches as directions in the space where all directions vary alike."""
    values, axes = eigenvectors(patches.T @ patches / len(patches))
    whiten = axes @ torch.diag((values + _NOISE * values.mean()).rsqrt()) @ axes.T
    directions = torch.nn.functional.normalize(patches[:_FILTERS] @ whiten) @ whiten
    return directions - directions.mean(1, keepdim=True)


def _responses(
    images: Float[Tensor, "b c h w"], kernels: Float[Tensor, "filters c patch patch"], cells: int
) -> Float[Tensor, "b d"]:
    """Bright and dark ones apart, and the pixels, averaged over the cells of the grid."""
    response = conv2d(images, kernels, stride=_STRIDE if min(images.shape[2:]) >= _FINE else 1)
    maps = [relu(response - _THRESHOLD), relu(-response - _THRESHOLD), images]
    return torch.cat([adaptive_avg_pool2d(one, cells).flatten(1) for one in maps], 1)
