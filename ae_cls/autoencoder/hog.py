"""Histograms of oriented gradients: no learning, and a strong control.

Dalal & Triggs 2005, Histograms of oriented gradients for human detection, CVPR.
"""

from typing import ClassVar, Literal, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Fixed
from ae_cls.autoencoder.parts.directions import histograms
from ae_cls.dataset.contract import ImageShape
from ae_cls.errors import UsageError

_BLOCK = 2  # cells a side of a block
_CLIP = 0.2  # of L2-Hys: Lowe's clipping of normalised blocks (Dalal & Triggs 2005, 6.4)
_EPSILON = 1e-5


@final
class HogConfig(AutoencoderConfig):
    """Gradient directions counted in cells, normalised in blocks of 2x2 cells."""

    has_gradients: ClassVar[bool] = False
    decodes: ClassVar[bool] = False
    name: Literal["hog"]
    bins: int = Field(ge=2, le=36, description="directions between 0 and 180 degrees")
    cell: int | None = Field(
        ge=2, description="side of a cell in pixels; null: a seventh of the image, at least 2"
    )

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Hog(image_shape, self)


@final
class Hog(Fixed):
    """Code = all normalised blocks; it does not decode."""

    def __init__(self, image_shape: ImageShape, config: HogConfig) -> None:
        super().__init__()
        self.image_shape, self.bins = image_shape, config.bins
        side = min(image_shape[1:])
        self.cell = config.cell or max(2, side // 7)
        if side < _BLOCK * self.cell:
            raise UsageError(
                f"hog needs {_BLOCK} cells of {self.cell} pixels a side; {side} pixels are too few",
                where="autoencoder.cell",
                fix=f"autoencoder.cell={side // _BLOCK} or less, or larger images",
            )

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self._blocks(images).flatten(1)

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        raise NotImplementedError("hog does not decode")

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        blocks = self._blocks(images)  # b, down, across, cells of the block, bins
        return [blocks.flatten(3).permute(0, 3, 1, 2)]

    def _blocks(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b down across 4 bins"]:
        cells = histograms(images.float(), bins=self.bins, cell=self.cell, shared=False)
        windows = cells.unfold(2, _BLOCK, 1).unfold(3, _BLOCK, 1)  # b, bins, down, across, 2, 2
        blocks = windows.flatten(4).permute(0, 2, 3, 4, 1)
        return _clipped_unit_length(blocks)


def _clipped_unit_length(
    blocks: Float[Tensor, "b down across 4 bins"],
) -> Float[Tensor, "b down across 4 bins"]:
    def unit(values: Tensor) -> Tensor:
        return values / (values.square().sum((3, 4), keepdim=True) + _EPSILON**2).sqrt()

    return unit(unit(blocks).clamp_max(_CLIP))
