"""The idx format of the MNIST family: a magic number, the sizes, then big-endian numbers.

torchvision's reader takes no packed files and fails on garbage with a bare assertion: hence ours.
Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Int64

from ae_cls.dataset.files.regular import refuse_special
from ae_cls.dataset.table import PartArrays
from ae_cls.errors import DataError

_TYPES = {8: np.dtype(np.uint8), 12: np.dtype(">i4")}
_MOST_BYTES = 2**33  # a damaged header must not ask for all memory; the largest set has 0.6 GB


@final
@dataclass(frozen=True)
class IdxPart:
    """The files of one part of a data set.

    Attributes:
        image_file: grey pictures of one size.
        label_file: a number for each.
        class_count: how many classes there are.
        first_label: the number of the first class.
        by_column: whether the pictures are written column by column.
    """

    image_file: Path
    label_file: Path
    class_count: int
    first_label: int = 0
    by_column: bool = False

    @property
    def is_packed(self) -> bool:
        """Whether the pictures have to be unpacked."""
        return self.image_file.suffix == ".gz"

    def table_shape(self) -> tuple[int, int, int, int]:
        """Images, channels, height and width, as the image file says.

        Raises:
            DataError: it is damaged.
        """
        with _opened(self.image_file) as file:
            shape, kind = _read_header(self.image_file, file)
        if len(shape) != 3 or kind != np.uint8:
            raise _damaged(self.image_file, f"not images: {len(shape)} dimensions of {kind}")
        count, height, width = shape
        return (count, 1, width, height) if self.by_column else (count, 1, height, width)

    def labels(self) -> Int64[np.ndarray, " n"]:
        """Counted from 0.

        Raises:
            DataError: the label file is damaged.
        """
        labels = _read_labels(self.label_file) - self.first_label
        outside = np.flatnonzero((labels < 0) | (labels >= self.class_count))
        if outside.size:
            row = int(outside[0])
            label = labels[row] + self.first_label
            raise _damaged(self.label_file, f"label {label} at index {row} is not a class")
        return labels

    def read(self) -> PartArrays:
        """Images with one channel, and labels counted from 0.

        Raises:
            DataError: a file is damaged, or the two do not belong together.
        """
        self.table_shape()  # refuses a file that holds no images
        images, labels = _read_idx(self.image_file), self.labels()
        if len(images) != len(labels):
            why = f"{len(labels)} labels for {len(images)} images in {self.image_file}"
            raise _damaged(self.label_file, why)
        upright = np.swapaxes(images, 1, 2) if self.by_column else images
        return PartArrays(upright[:, None], labels)


def _read_labels(path: Path) -> Int64[np.ndarray, " n"]:
    labels = _read_idx(path)
    # QMNIST writes eight numbers a row (writer, field, ...); the class comes first.
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] else labels
    if labels.ndim != 1:
        raise _damaged(path, f"not labels: {labels.ndim} dimensions")
    return labels.astype(np.int64)


def _read_idx(path: Path) -> np.ndarray:
    with _opened(path) as file:
        shape, kind = _read_header(path, file)
        expected = math.prod(shape) * kind.itemsize
        if expected > _MOST_BYTES:
            raise _damaged(path, f"its header declares {expected:,} bytes")
        data = file.read(expected + 1)
    if len(data) != expected:
        more = "more" if len(data) > expected else str(len(data))
        raise _damaged(path, f"its header declares {expected} bytes; there are {more}")
    return np.frombuffer(data, dtype=kind).reshape(shape)


@contextmanager
def _opened(path: Path) -> Iterator[BufferedIOBase]:
    try:
        refuse_special(path)
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except (OSError, EOFError, ValueError, zlib.error, struct.error) as error:
        raise _damaged(path, str(error)) from error


def _read_header(path: Path, file: BufferedIOBase) -> tuple[tuple[int, ...], np.dtype]:
    zero, kind, dimensions = struct.unpack(">HBB", file.read(4))
    if zero != 0 or kind not in _TYPES or not 1 <= dimensions <= 3:
        raise _damaged(path, "it does not start like an idx file of bytes or 32-bit integers")
    return struct.unpack(f">{dimensions}I", file.read(4 * dimensions)), _TYPES[kind]


def _damaged(path: Path, why: str) -> DataError:
    return DataError(
        f"{path.name} is damaged or another file",
        where=str(path),
        why=why,
        fix="move it away and fetch it again with dataset.download=true",
    )
