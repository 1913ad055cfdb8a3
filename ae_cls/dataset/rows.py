"""A few rows of a table of images, without copying the table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ae_cls.dataset.contract import ImageTable, Rows

_MOST_AT_A_TIME = 512
_MOST_PIXELS = _MOST_AT_A_TIME * 64**2  # of which vgg16 makes half a gigabyte in its first layer


@final
@dataclass(frozen=True)
class ImageRows:
    """Some rows of a table of images that may be larger than memory.

    Attributes:
        images: the whole table, in memory or in a file.
        rows: which of them.
    """

    images: ImageTable
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def at_a_time(self) -> int:
        """Images that go through a network together where nothing is learnt; fewer of large ones.

        The same for all images of one shape: another number may change the last bit of a feature.
        """
        height, width = self.images.shape[2:]
        return max(1, min(_MOST_AT_A_TIME, _MOST_PIXELS // (height * width)))

    def take(self, positions: Int64[Tensor, " b"]) -> UInt8[Tensor, "b c h w"]:
        """The images at these positions of `rows`, as a copy."""
        return self.images.index_select(0, torch.from_numpy(self.rows)[positions])

    def batches(self, size: int) -> Iterator[UInt8[Tensor, "b c h w"]]:
        """All images in order, `size` at a time; the last batch may be smaller."""
        for positions in torch.arange(len(self)).split(size):
            yield self.take(positions)

    def sample(self, count: int) -> "ImageRows":
        """At most `count` of the rows, evenly spread."""
        places = np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.int64)
        return ImageRows(self.images, self.rows[places])


@final
@dataclass(frozen=True)
class LabelledImages:
    """Images and the class index of each."""

    images: ImageRows
    labels: Int64[np.ndarray, " n"]


def to_unit(images: UInt8[Tensor, "b c h w"], device: torch.device) -> Tensor:
    """Bytes moved to the device, then scaled to float32 in [0, 1] there: less traffic."""
    return images.to(device, non_blocking=True).to(torch.float32).div_(255.0)
