"""What was seen in image files while they were decoded: one row a file, for checks and notes."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from ae_cls.store.arrays import read_arrays
from ae_cls.store.received import not_ours


@final
@dataclass(frozen=True)
class FileFacts:
    """One file; each attribute is a column of `ImageFacts`, which says what it means."""

    height: int
    width: int
    bands: int
    bits: int
    stored_bits: int
    is_float: bool
    white_is_zero: bool
    lowest: float
    highest: float
    low: float
    high: float
    full: float
    pictures: int
    has_alpha: bool
    unused_bands: int
    one_colour: bool
    flattened: bool
    format: str


@final
@dataclass(frozen=True)
class ImageFacts:
    """What the files of a data set hold, one row a file that was decoded.

    Attributes:
        height: of the upright picture as the file stores it, in pixels.
        width: likewise.
        bands: numbers a pixel: colours, alpha and whatever else there is.
        bits: of one number; 8 where the file has fewer, as those are spread over bytes.
        stored_bits: of one number in the file, of which its decoder may give fewer.
        is_float: whether the numbers are floats.
        white_is_zero: whether the file says that its smallest number is white.
        lowest: number of all colours (of all bands where there is no telling), in the file's own
            units; of a JPEG as it was shrunk while it was decoded.
        highest: likewise.
        low: the number below which lies one pixel in 200.
        high: the number above which lies one pixel in 200.
        full: the largest number of the type, 1 for floats; NaN for bytes and inks, of which no
            range is asked.
        pictures: how many the file holds; the first of them is used.
        has_alpha: whether there is transparency.
        unused_bands: bands that are neither a channel nor transparency.
        one_colour: whether the decoded image is of one colour.
        flattened: whether it is, although the file's own numbers differ.
        format: of the file, such as PNG, whatever its name.
    """

    height: Int64[np.ndarray, " n"]
    width: Int64[np.ndarray, " n"]
    bands: Int64[np.ndarray, " n"]
    bits: Int64[np.ndarray, " n"]
    stored_bits: Int64[np.ndarray, " n"]
    is_float: Bool[np.ndarray, " n"]
    white_is_zero: Bool[np.ndarray, " n"]
    lowest: Float64[np.ndarray, " n"]
    highest: Float64[np.ndarray, " n"]
    low: Float64[np.ndarray, " n"]
    high: Float64[np.ndarray, " n"]
    full: Float64[np.ndarray, " n"]
    pictures: Int64[np.ndarray, " n"]
    has_alpha: Bool[np.ndarray, " n"]
    unused_bands: Int64[np.ndarray, " n"]
    one_colour: Bool[np.ndarray, " n"]
    flattened: Bool[np.ndarray, " n"]
    format: Shaped[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.height)

    @property
    def outside(self) -> Bool[np.ndarray, " n"]:
        """Whether some numbers are below 0 or above `full`, so that it is unknown what is white."""
        return (self.lowest < 0) & ~np.isnan(self.full) | (self.highest > self.full)

    def save(self, path: Path) -> None:
        """A new .npz file without pickle.

        Raises:
            OSError: there is no room for it.
        """
        content = io.BytesIO()
        np.savez(content, **{field.name: getattr(self, field.name) for field in fields(self)})
        with path.open("xb") as file:
            file.write(content.getvalue())


def as_columns(rows: Iterable[FileFacts]) -> ImageFacts:
    """One row a file, in their order."""
    rows = list(rows)
    return ImageFacts(
        **{
            column.name: np.array([getattr(row, column.name) for row in rows], column.type)
            for column in fields(FileFacts)
        }
    )


def load_facts(path: Path) -> ImageFacts:
    """What `ImageFacts.save` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ModelFileError: it is damaged, or lacks a column.
        StorageError: it cannot be read.
    """
    names = [column.name for column in fields(ImageFacts)]
    columns = read_arrays(path, *names)
    if len(columns) < len(names):
        raise not_ours(str(path), "a column is missing")
    return ImageFacts(**columns)
