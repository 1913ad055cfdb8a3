"""Arrays in .npy files, written as their rows come: they may be larger than memory.

What is read back may be damaged or a stranger's: no array is made that is not in the file.
"""

import math
from collections.abc import Iterable
from io import BufferedIOBase, BytesIO
from itertools import chain
from pathlib import Path
from typing import Literal
from zipfile import ZipFile, ZipInfo

import numpy as np
from jaxtyping import Shaped
from numpy.lib import format as npy

from ae_cls.errors import ModelFileError
from ae_cls.store.received import opened

_Header = tuple[np.dtype, tuple[int, ...], Literal["C", "F"]]
_MOST_EXPANSION = 200  # times its size in the archive; row numbers shrink to a tenth


def write_array(path: Path, parts: Iterable[Shaped[np.ndarray, "_ ..."]]) -> int:
    """The rows of all parts as one new file; returns how many there are.

    The file is not brought to the disk at once: one that a power cut tore is noticed by its hash
    and made again.

    Args:
        path: of the file.
        parts: at least one; of one type and, but for the number of rows, of one shape.

    Raises:
        OSError: there is no room for the file.
    """
    rest = iter(parts)
    first = next(rest)
    kind, row_shape, count = first.dtype, first.shape[1:], 0
    with path.open("xb") as file:
        # NumPy pads the header so that the number of rows can be written into it afterwards.
        file.write(npy_header(kind, (0, *row_shape)))
        for part in chain([first], rest):
            # Written, not mapped: a full disk is then an error and not the end of the process.
            file.write(np.ascontiguousarray(part).data)
            count += len(part)
        file.seek(0)
        file.write(npy_header(kind, (count, *row_shape)))
    return count


def npy_header(kind: np.dtype, shape: tuple[int, ...]) -> bytes:
    """What an .npy file of such an array in C order begins with."""
    header = BytesIO()
    npy.write_array_header_1_0(
        header, {"descr": npy.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    )
    return header.getvalue()


def mapped_array(path: Path, mode: Literal["r", "c"] = "r") -> np.memmap:
    """The array in an .npy file, as much of it in memory as there is room for.

    Args:
        path: of the file.
        mode: read only; or copied where it is written to.

    Raises:
        FileNotFoundError: there is no such file.
        ModelFileError: it is no regular file, or holds no such array.
        StorageError: it cannot be read.
    """
    with opened(path) as file:
        try:
            kind, shape, order = _announced(file, file.seek(0, 2))
            return np.memmap(file, kind, mode, file.tell(), shape, order)
        except (ValueError, EOFError) as error:
            raise _damaged(path, error) from error


def read_arrays(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Arrays of an .npz file by name; those that it does not hold are left out.

    Raises:
        FileNotFoundError: there is no such file.
        ModelFileError: it is no regular file, or damaged, or holds more than it has room for.
        StorageError: it cannot be read.
    """
    with opened(path) as file:
        try:
            with ZipFile(file) as archive:
                members = {entry.filename: entry for entry in archive.infolist()}
                wanted = {name: members.get(f"{name}.npy") for name in names}
                return {name: _member(archive, entry) for name, entry in wanted.items() if entry}
        except Exception as error:  # fed with strangers' bytes, zipfile raises almost anything
            raise _damaged(path, error) from error


def _member(archive: ZipFile, entry: ZipInfo) -> np.ndarray:
    if entry.file_size > _MOST_EXPANSION * (entry.compress_size + 100):
        raise ValueError(f"{entry.filename} would expand to {entry.file_size:,} bytes")
    content = BytesIO(archive.read(entry))
    kind, shape, order = _announced(content, entry.file_size)
    return np.frombuffer(content.read(), kind).reshape(shape, order=order).copy()


def _announced(file: BufferedIOBase, size: int) -> _Header:
    """What the header says of the array behind it, once it is known that it is there."""
    file.seek(0)
    if npy.read_magic(file) != (1, 0):
        raise ValueError("its format is not the one that ae-cls writes")
    shape, in_fortran_order, kind = npy.read_array_header_1_0(file)
    if kind.hasobject:
        raise ValueError("it holds Python objects, which are never loaded")
    if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize != size - file.tell():
        raise ValueError(f"its header declares {kind} of {shape}, and it has {size:,} bytes")
    return kind, shape, "F" if in_fortran_order else "C"


def _damaged(path: Path, error: Exception) -> ModelFileError:
    why = str(error) or type(error).__name__
    return ModelFileError("a file is damaged", where=str(path), why=why)
