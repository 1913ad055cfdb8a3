"""The idx format of the MNIST family: a magic number, the sizes, then big-endian numbers.

torchvision's reader takes no packed files and answers garbage with a bare assertion: hence our own.
Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

import gzip
import math
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from ae_cls.dataset.table import Part
from ae_cls.errors import DataError

_TYPES = {8: np.dtype(np.uint8), 12: np.dtype(">i4")}
_MOST_BYTES = 2**33  # a damaged header must not ask for all memory; the largest set has 0.6 GB


def read_part(
    image_file: Path, label_file: Path, *, class_count: int, first_label: int = 0
) -> Part:
    """Images with one grey channel, and labels counted from 0.

    Raises:
        DataError: a file is damaged, or the two do not belong together.
    """
    images = _read_images(image_file)
    labels = _read_labels(label_file) - first_label
    if len(images) != len(labels):
        raise _damaged(label_file, f"{len(labels)} labels for {len(images)} in {image_file}")
    outside = np.flatnonzero((labels < 0) | (labels >= class_count))
    if outside.size:
        row = int(outside[0])
        raise _damaged(label_file, f"label {labels[row] + first_label} at index {row}")
    return Part(images[:, None], labels)


def _read_images(path: Path) -> UInt8[np.ndarray, "n h w"]:
    images = _read_idx(path)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise _damaged(path, f"not images: {images.ndim} dimensions of {images.dtype}")
    return images


def _read_labels(path: Path) -> Int64[np.ndarray, " n"]:
    labels = _read_idx(path)
    # QMNIST writes eight numbers a row (writer, field, ...); the class comes first.
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] else labels
    if labels.ndim != 1:
        raise _damaged(path, f"not labels: {labels.ndim} dimensions")
    return labels.astype(np.int64)


def _read_idx(path: Path) -> np.ndarray:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _read_numbers(path, file)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise _damaged(path, str(error)) from error


def _read_numbers(path: Path, file: BufferedIOBase) -> np.ndarray:
    zero, kind, dimensions = struct.unpack(">HBB", file.read(4))
    if zero != 0 or kind not in _TYPES or not 1 <= dimensions <= 3:
        raise _damaged(path, "it does not begin like an idx file of bytes or 32-bit integers")
    shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
    expected = math.prod(shape) * _TYPES[kind].itemsize
    data = file.read(min(expected, _MOST_BYTES) + 1)
    if len(data) != expected:
        more = "more" if len(data) > expected else str(len(data))
        raise _damaged(path, f"its header tells of {expected} bytes, there are {more}")
    return np.frombuffer(data, dtype=_TYPES[kind]).reshape(shape)


def _damaged(path: Path, why: str) -> DataError:
    return DataError(
        f"{path.name} is damaged or is another file",
        where=str(path),
        why=why,
        fix="delete it and fetch it again with dataset.download=true",
    )
