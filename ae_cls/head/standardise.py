"""Features with mean 0 and standard deviation 1, made block by block: never a copy of the table."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from ae_cls.head.fitted import Features
from ae_cls.head.head_files import Layout, Stored

BLOCK = 256
"""Rows at a time: 2 MB at 2,112 features, so a block is still in the cache when used again."""

MEAN_AND_SCALE: Layout = {
    "mean": Stored(np.float32, "d"),
    "scale": Stored(np.float32, "d", positive=True),
}
"""What a head stores of its standardiser."""


@final
@dataclass(frozen=True)
class Standardiser:
    """(features - mean) / scale.

    Attributes:
        mean: of the rows it was fitted on.
        scale: their standard deviation; 1 for a column that does not vary.
        changes: False where the features are to be taken as they are.
    """

    mean: Float32[np.ndarray, " d"]
    scale: Float32[np.ndarray, " d"]
    changes: bool = True

    @classmethod
    def fit(cls, features: Features) -> "Standardiser":
        """Mean and standard deviation of each column, summed in float64."""
        mean = features.mean(axis=0, dtype=np.float64)
        variance = np.zeros_like(mean)
        for start in range(0, len(features), BLOCK):
            variance += np.square(features[start : start + BLOCK] - mean).sum(axis=0)
        deviation = np.sqrt(variance / len(features))
        # Below one step of float32 the deviation of a constant column is its rounding error.
        varies = deviation > np.finfo(np.float32).eps * np.abs(mean)
        return cls(mean.astype(np.float32), np.where(varies, deviation, 1.0).astype(np.float32))

    @classmethod
    def identity(cls, width: int) -> "Standardiser":
        """For features that are to be taken as they are."""
        return cls(np.zeros(width, np.float32), np.ones(width, np.float32), changes=False)

    def apply(self, features: Features) -> Float32[np.ndarray, "n d"]:
        """A new table; for blocks, or for tables that are small."""
        standard = np.subtract(features, self.mean)
        standard /= self.scale
        return standard

    def blocks(
        self, features: Features, size: int = BLOCK
    ) -> Iterator[tuple[slice, Float32[np.ndarray, "b d"]]]:
        """Which rows, and these rows standardised; the next block overwrites this one."""
        if not self.changes:
            parts = (slice(start, start + size) for start in range(0, len(features), size))
            yield from ((rows, features[rows]) for rows in parts)
            return
        buffer = np.empty((min(size, len(features)), features.shape[1]), np.float32)
        for start in range(0, len(features), size):
            rows = slice(start, min(start + size, len(features)))
            block = np.subtract(features[rows], self.mean, out=buffer[: rows.stop - start])
            block /= self.scale
            yield rows, block


def as_tensor(array: np.ndarray) -> Tensor:
    """The same memory as a tensor that must only be read."""
    with warnings.catch_warnings():
        # Features may be a read-only memory map, of which torch warns.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
