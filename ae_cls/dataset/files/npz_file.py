"""A stranger's .npz file: small arrays whole, images a block at a time."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final, runtime_checkable
from zipfile import ZipFile

import numpy as np
from jaxtyping import UInt8
from numpy.lib import format as npy

from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.files.arrays import NamedArray
from ae_cls.dataset.files.regular import refuse_special
from ae_cls.errors import DataError

_MOST_BESIDE = 2**30  # bytes of an array of labels, names or groups
_BLOCK = 2**24  # bytes read at a time
_PARTS = {
    "train": "train", "training": "train", "val": "val", "valid": "valid", "validation": "valid",
    "test": "test", "testing": "test", "unlabelled": "unlabelled", "unlabeled": "unlabelled",
}  # fmt: skip
_KINDS = {
    "images": "images", "image": "images", "imgs": "images", "x": "images", "data": "images",
    "labels": "labels", "label": "labels", "y": "labels", "target": "labels", "targets": "labels",
}  # fmt: skip
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@runtime_checkable
class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@final
@dataclass(frozen=True)
class ImageArray:
    """Images that are read as they are needed; they may be larger than memory.

    Attributes:
        file: the .npz file.
        name: of the array.
        stored_shape: as it is in the file.
        dtype: of its numbers.
        in_c_order: whether one image follows the other in the file.
    """

    file: Path
    name: str
    stored_shape: tuple[int, ...]
    dtype: np.dtype
    in_c_order: bool

    def __len__(self) -> int:
        return self.stored_shape[0]

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height, width.

        Raises:
            DataError: this is not the shape of images.
        """
        nothing = np.broadcast_to(np.uint8(0), self.stored_shape)
        channels, height, width = self._named(nothing).channels_first().shape[1:]
        return channels, height, width

    def blocks(self) -> Iterator[UInt8[np.ndarray, "b c h w"]]:
        """All images, a few at a time; see `refuse_unclear`.

        Raises:
            DataError: the file is damaged, or holds something that is not an image.
        """
        done = 0
        for values in self._values():
            yield self._named(values, done).images()
            done += len(values)

    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest number of all images.

        Raises:
            DataError: the file is damaged, or holds something that is no number.
        """
        done, found = 0, list[tuple[float, float]]()
        for values in self._values():
            found.append(self._named(values, done).extremes())
            done += len(values)
        return min(low for low, _ in found), max(high for _, high in found)

    def wrong(self, why: str, fix: str = "") -> DataError:
        """The error that names this array."""
        return self._named(np.empty(0)).wrong(why, fix)

    def _named(self, values: np.ndarray, first: int = 0) -> NamedArray:
        return NamedArray(self.file, self.name, values, first)

    def _values(self) -> Iterator[np.ndarray]:
        with (
            _reading(self.file, self.name),
            ZipFile(self.file) as archive,
            archive.open(f"{self.name}.npy") as stream,
        ):
            if not self.in_c_order:
                yield npy.read_array(stream, allow_pickle=False)
                return
            _header(stream)
            row_bytes = int(np.prod(self.stored_shape[1:])) * self.dtype.itemsize
            count = max(1, _BLOCK // row_bytes)
            for start in range(0, len(self), count):
                rows = min(count, len(self) - start)
                content = _exactly(stream, rows * row_bytes)
                yield np.frombuffer(content, self.dtype).reshape(rows, *self.stored_shape[1:])
            stream.read(1)  # the check sum is compared at the end of the array


def read_npz(path: Path) -> tuple[dict[str, NamedArray], dict[str, ImageArray]]:
    """All arrays by our names for them; those that end in `images` are left in the file.

    Raises:
        DataError: it is not an .npz file, is damaged, or holds Python objects.
    """
    with _reading(path, "the directory"):
        refuse_special(path)
    with _reading(path, "the directory"), path.open("rb") as opened, ZipFile(opened) as archive:
        names = _our_names(path, [name.removesuffix(".npy") for name in archive.namelist()])
        pictures = {
            ours: _image_array(path, archive, name)
            for ours, name in names.items()
            if ours.endswith("images")
        }
        opened.seek(0)
        with np.load(opened, allow_pickle=False) as file:  # noqa: TID251  the user's own data
            arrays = {
                ours: _array(path, archive, file, name)
                for ours, name in names.items()
                if ours not in pictures
            }
    return arrays, pictures


def _our_names(path: Path, names: Sequence[str]) -> dict[str, str]:
    """The name in the file of each array, by ours, such as train_images for Keras' x_train.

    An array that has one of our names keeps it, whatever others there are.

    Raises:
        DataError: two arrays may be meant by one name.
    """
    found = {name: name for name in names if _our_name(name) in (name, "")}
    for name in names:
        ours = _our_name(name)
        if name in found.values() or ours in names:
            found.setdefault(name, name)
        elif ours in found:
            raise DataError(
                f"two arrays of {path.name} may be the {ours}",
                where=str(path),
                why=f"{found[ours]} and {name}",
                fix=f"np.savez(FILE, {ours}=...), which of them it is",
            )
        else:
            found[ours] = name
    return found


def _our_name(name: str) -> str:
    """What we call such an array; empty for one that is neither of images nor of labels."""
    words = name.lower().split("_")
    parts = [_PARTS[word] for word in words if word in _PARTS]
    kinds = [_KINDS[word] for word in words if word in _KINDS]
    if len(kinds) != 1 or len(parts) > 1 or len(parts) + 1 != len(words):
        return ""
    return "_".join([*parts, *kinds])


def _array(path: Path, archive: ZipFile, file: Mapping[str, np.ndarray], name: str) -> NamedArray:
    with _reading(path, name):
        with archive.open(f"{name}.npy") as stream:
            shape, _, dtype = _header(stream)
        _refuse_false_size(archive, name, shape, dtype, most=_MOST_BESIDE)
        return NamedArray(path, name, np.asarray(file[name]))


def _image_array(path: Path, archive: ZipFile, name: str) -> ImageArray:
    with _reading(path, name), archive.open(f"{name}.npy") as stream:
        shape, fortran_order, dtype = _header(stream)
        if dtype.hasobject:
            raise ValueError("it holds Python objects")
        _refuse_false_size(archive, name, shape, dtype)
        return ImageArray(path, name, shape, dtype, in_c_order=not fortran_order)


def _refuse_false_size(
    archive: ZipFile,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
    most: int | float = math.inf,
) -> None:
    """Before so much is allocated: what stands in the header is not in the file, or no label."""
    declared, held = math.prod(shape) * dtype.itemsize, archive.getinfo(f"{name}.npy").file_size
    if declared > held and not dtype.hasobject:
        raise ValueError(f"it ends too early: {declared:,} bytes are declared, {held:,} are there")
    if declared > most:
        raise ValueError(f"{declared:,} bytes beside the images; {most:,} are enough for any")


def _header(stream: _Readable) -> tuple[tuple[int, ...], bool, np.dtype]:
    return _HEADERS[npy.read_magic(stream)](stream)


def _exactly(stream: _Readable, count: int) -> bytearray:
    content = bytearray()
    while len(content) < count:
        more = stream.read(count - len(content))
        if not more:
            raise EOFError("it ends too early")
        content += more
    return content


@contextmanager
def _reading(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        # Fed with strangers' bytes, zipfile and NumPy raise almost anything.
        raise DataError(
            f"{name} of {path.name} cannot be read",
            where=f"dataset.root={path}",
            why=str(error) or type(error).__name__,
            fix="save plain arrays, such as labels.astype(str) for names; arrays of Python objects "
            "are never loaded",
        ) from error
