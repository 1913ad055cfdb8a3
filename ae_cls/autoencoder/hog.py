"""Histograms of oriented gradients: no learning, and a strong control.

Dalal & Triggs 2005, Histograms of oriented gradients for human detection, CVPR.
"""

import math
from typing import ClassVar, Literal, final

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Fixed
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows
from ae_cls.errors import UsageError

_BLOCK = 2  # cells a side of a block
_CLIP = 0.2  # of L2-Hys: Lowe's clipping of normalised blocks (Dalal & Triggs 2005, 6.4)
_EPSILON = 1e-5
_THUMBNAIL = 32  # largest side in pixels of the linear picture that decode paints
_RIDGE = 1e-3  # times the mean diagonal of the features' second moments
_CHUNK = 1024  # images at a time


@final
class HogConfig(AutoencoderConfig):
    """Gradient directions counted in cells, normalised in blocks of 2x2 cells."""

    has_gradients: ClassVar[bool] = False
    name: Literal["hog"]
    bins: int = Field(ge=2, le=36, description="directions in 0 to 180 degrees")
    cell: int | None = Field(
        ge=2, description="side of a cell in pixels; null: a seventh of the image, at least 2"
    )

    def build(self, image_shape: ImageShape) -> Autoencoder:
        side = min(image_shape[1:])
        cell = self.cell or max(2, side // 7)
        if side < _BLOCK * cell:
            raise UsageError(
                f"hog needs {_BLOCK} cells of {cell} pixels a side; {side} pixels are too few",
                where="autoencoder.cell",
                fix=f"autoencoder.cell={side // _BLOCK} or less, or larger images",
            )
        return Hog(image_shape, bins=self.bins, cell=cell)


@final
class Hog(Fixed):
    """Code = all normalised blocks; decode paints its best linear picture (ridge regression)."""

    mean: Float[Tensor, " d"]
    picture: Float[Tensor, "d thumbnail"]
    mean_picture: Float[Tensor, " thumbnail"]

    def __init__(self, image_shape: ImageShape, *, bins: int, cell: int) -> None:
        super().__init__()
        self.image_shape, self.bins, self.cell = image_shape, bins, cell
        channels, height, width = image_shape
        self.thumbnail = (min(height, _THUMBNAIL), min(width, _THUMBNAIL))
        blocks = (height // cell - _BLOCK + 1) * (width // cell - _BLOCK + 1)
        latent_dim = blocks * _BLOCK**2 * bins
        painted = channels * self.thumbnail[0] * self.thumbnail[1]
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("picture", torch.zeros(latent_dim, painted))
        self.register_buffer("mean_picture", torch.full((painted,), 0.5))

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self._blocks(images).flatten(1)

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        painted = (latents - self.mean) @ self.picture + self.mean_picture
        small = painted.unflatten(1, (self.image_shape[0], *self.thumbnail))
        return functional.interpolate(small, size=self.image_shape[1:], mode="nearest")

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        blocks = self._blocks(images)  # b, down, across, cells of the block, bins
        return [blocks.flatten(3).permute(0, 3, 1, 2)]

    def fit_closed_form(self, images: ImageRows, seed: int) -> None:
        moments = _Moments(len(self.mean), len(self.mean_picture))
        for batch in images.batches(_CHUNK):
            unit = batch.float().div_(255.0)
            moments.add(self.encode(unit), _shrunk(unit, self.thumbnail).flatten(1))
        self.mean.copy_(moments.mean_of_inputs())
        self.mean_picture.copy_(moments.mean_of_outputs())
        self.picture.copy_(moments.ridge())

    def _blocks(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b down across 4 bins"]:
        cells = self._cells(images.float())
        windows = cells.unfold(2, _BLOCK, 1).unfold(3, _BLOCK, 1)  # b, bins, down, across, 2, 2
        blocks = windows.flatten(4).permute(0, 2, 3, 4, 1)
        return _clipped_unit_length(blocks)

    def _cells(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b bins down across"]:
        strength, direction = _strongest_gradient(images)
        which = (direction / math.pi * self.bins).long().clamp_(max=self.bins - 1)
        votes = images.new_zeros(len(images), self.bins, *images.shape[2:])
        votes.scatter_(1, which[:, None], strength[:, None])
        return functional.avg_pool2d(votes, self.cell)


def _strongest_gradient(
    images: Float[Tensor, "b c h w"],
) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"]]:
    """Length, and direction in [0, pi), of the steepest channel's central differences."""
    down, across = torch.zeros_like(images), torch.zeros_like(images)
    down[:, :, 1:-1] = images[:, :, 2:] - images[:, :, :-2]
    across[:, :, :, 1:-1] = images[:, :, :, 2:] - images[:, :, :, :-2]
    length = torch.hypot(down, across)
    steepest = length.argmax(dim=1, keepdim=True)
    down, across = (part.gather(1, steepest)[:, 0] for part in (down, across))
    return length.gather(1, steepest)[:, 0], torch.atan2(down, across) % math.pi


def _clipped_unit_length(
    blocks: Float[Tensor, "b down across 4 bins"],
) -> Float[Tensor, "b down across 4 bins"]:
    def unit(values: Tensor) -> Tensor:
        return values / (values.square().sum((3, 4), keepdim=True) + _EPSILON**2).sqrt()

    return unit(unit(blocks).clamp_max(_CLIP))


def _shrunk(images: Float[Tensor, "b c h w"], size: tuple[int, int]) -> Tensor:
    return images if images.shape[2:] == size else functional.adaptive_avg_pool2d(images, size)


class _Moments:
    """Sums over images from which a ridge regression from inputs to outputs follows."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self.count = 0
        self.inputs = torch.zeros(inputs, dtype=torch.float64)
        self.outputs = torch.zeros(outputs, dtype=torch.float64)
        self.within = torch.zeros(inputs, inputs, dtype=torch.float64)
        self.across = torch.zeros(inputs, outputs, dtype=torch.float64)

    def add(self, inputs: Float[Tensor, "b i"], outputs: Float[Tensor, "b o"]) -> None:
        self.count += len(inputs)
        self.inputs += inputs.sum(0, dtype=torch.float64)
        self.outputs += outputs.sum(0, dtype=torch.float64)
        self.within += inputs.T @ inputs  # float32 in the chunk, float64 over the chunks
        self.across += inputs.T @ outputs

    def mean_of_inputs(self) -> Tensor:
        return self.inputs / self.count

    def mean_of_outputs(self) -> Tensor:
        return self.outputs / self.count

    def ridge(self) -> Tensor:
        means = self.mean_of_inputs()
        within = self.within / self.count - torch.outer(means, means)
        across = self.across / self.count - torch.outer(means, self.mean_of_outputs())
        penalty = _RIDGE * within.diagonal().mean() + _EPSILON
        return torch.linalg.solve(within + penalty * torch.eye(len(means)).double(), across)
