"""Corruption of training images: a value that any variant can take. The target stays clean.

Vincent et al. 2008, Extracting and composing robust features with denoising autoencoders, ICML.
Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11: `corrupted_weight` 1 with
`intact_weight` 0 is their full emphasis. Every draw belongs to a sample, so an image is corrupted
alike in any batch.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal, final

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from ae_cls.draws import Draws
from ae_cls.errors import UsageError
from ae_cls.settings import Settings


@final
@dataclass(frozen=True)
class Corrupted:
    """What the encoder sees in training, and what the loss looks at.

    Attributes:
        images: corrupted.
        weight: of each pixel in the loss; not normalised.
        hidden: 1 where a pixel was taken away, 0 where it is as it was or noisy.
    """

    images: Float[Tensor, "b c h w"]
    weight: Float[Tensor, "#b #c #h #w"]
    hidden: Float[Tensor, "b 1 #h #w"]


class Corruption(Settings, ABC):
    """The contract of every corruption."""

    @abstractmethod
    def apply(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Corrupted:
        """What the encoder sees in training, and which pixels the loss looks at."""

    def in_cells_of(self, side: int) -> "Corruption":
        """The same, hiding whole cells of `side` pixels a side, if it hides cells.

        Raises:
            UsageError: its own cells are no multiple of these.
        """
        return self


@final
class NoCorruption(Corruption):
    """The images as they are."""

    name: Literal["none"]

    def apply(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Corrupted:
        return Corrupted(images, *_all_alike(images))


class Emphasised(Corruption, ABC):
    """A corruption that tells corrupted pixels from intact ones."""

    corrupted_weight: float = Field(ge=0, description="weight of corrupted pixels in the loss")
    intact_weight: float = Field(ge=0, description="weight of intact pixels in the loss")

    def _weight(self, hidden: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return self.intact_weight + (self.corrupted_weight - self.intact_weight) * hidden


@final
class PatchMask(Emphasised):
    """Square cells set to 0, exactly round(ratio x cells) of them in a share of the images.

    Features are taken from intact images. A network that has only seen masked ones takes an intact
    one for a brighter picture than any, so it sees some as they are.
    """

    name: Literal["patch_mask"]
    # Models that were saved before there was a choice had masked all.
    share: float = Field(
        default=1.0, ge=0, le=1, description="share of the images that are masked, on average"
    )
    ratio: float = Field(ge=0, lt=1, description="share of the cells that are hidden")
    cell: int | None = Field(
        ge=1,
        description="side of a cell in pixels; null: 2 up to 15 px, 4 to 63, 8 to 127, else 16",
    )

    def apply(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Corrupted:
        height, width = images.shape[2:]
        cell = self.cell or cell_side(min(height, width))
        down, across = -(-height // cell), -(-width // cell)
        order = shuffled_cells(draws, "patch_mask", down * across)
        # The first are hidden: an exact count for every image.
        first = order[:, : round(self.ratio * down * across)]
        grid = images.new_zeros(order.shape).scatter_(1, first, 1.0).view(-1, 1, down, across)
        grid = grid * (draws.uniform("patch_mask_share", 1) < self.share)[:, :, None, None]
        mask = grid.repeat_interleave(cell, 2).repeat_interleave(cell, 3)[:, :, :height, :width]
        return Corrupted(images * (1 - mask), self._weight(mask), mask)

    def in_cells_of(self, side: int) -> Corruption:
        if self.cell is None:
            return self.model_copy(update={"cell": side})
        if self.cell % side:
            raise UsageError(
                f"cells of {self.cell} pixels a side would hide parts of what the network takes "
                f"together, {side}x{side} pixels",
                where="autoencoder.corruption.cell",
                fix=f"a multiple of {side}, or null; or another autoencoder.patch",
            )
        return self


def _all_alike(
    images: Float[Tensor, "b c h w"],
) -> tuple[Float[Tensor, "b 1 1 1"], Float[Tensor, "b 1 1 1"]]:
    """The same weight for every pixel, and none hidden."""
    return images.new_ones(len(images), 1, 1, 1), images.new_zeros(len(images), 1, 1, 1)


def shuffled_cells(draws: Draws, purpose: str, count: int) -> Int64[Tensor, "b {count}"]:
    """The cells of each image in an order of its own."""
    return draws.uniform(purpose, count).argsort(dim=1)


def cell_side(side: int) -> int:
    """Side of a masking cell in pixels for images of this side: about an eighth, a power of two."""
    return 2 if side < 16 else 4 if side < 64 else 8 if side < 128 else 16


@final
class Gaussian(Corruption):
    """Additive normal noise, not clipped (clipping would tell the network where it was)."""

    name: Literal["gaussian"]
    deviation: float = Field(ge=0, description="standard deviation; the full pixel range is 1")

    def apply(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Corrupted:
        noise = draws.normal("gaussian", images[0].numel()).view_as(images)
        return Corrupted(images + self.deviation * noise, *_all_alike(images))


@final
class SaltPepper(Emphasised):
    """Single pixels set to 0 or 1, half each, all channels alike."""

    name: Literal["salt_pepper"]
    ratio: float = Field(
        ge=0, le=1, description="share of the pixels that are replaced, on average"
    )

    def apply(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Corrupted:
        height, width = images.shape[2:]
        uniform = draws.uniform("salt_pepper", height * width).view(-1, 1, height, width)
        hidden = (uniform < self.ratio).to(images.dtype)
        salt = (uniform < self.ratio / 2).to(images.dtype)
        noisy = torch.lerp(images, salt.expand_as(images), hidden)
        return Corrupted(noisy, self._weight(hidden), torch.zeros_like(hidden))


CorruptionChoice = Annotated[
    NoCorruption | PatchMask | Gaussian | SaltPepper, Field(discriminator="name")
]
