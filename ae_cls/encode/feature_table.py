"""Features of many images as one table, in memory or, if large, in a file."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from jaxtyping import Float32

from ae_cls.errors import StorageError
from ae_cls.store.arrays import mapped_array, write_array
from ae_cls.store.places import cache_folder

LARGEST_IN_MEMORY = 2**29  # bytes

Batch = Float32[np.ndarray, "_ _"]


def joined(count: int, parts: Iterable[Batch]) -> Float32[np.ndarray, "n d"]:
    """All parts, one after the other, as a table of `count` rows.

    A table above 512 MB is written to a file without a name, which the system removes once the
    table is no longer used, and is memory-mapped: the same numbers, as many of them in memory as
    there is room for.

    Raises:
        StorageError: there is no room for the file.
    """
    rest = iter(parts)
    first = next(rest, None)
    if first is None:
        return np.empty((0, 0), np.float32)
    shape = (count, first.shape[1])
    if math.prod(shape) * first.itemsize <= LARGEST_IN_MEMORY:
        return _in_memory(shape, chain([first], rest))
    return _in_file(shape, chain([first], rest))


def write_table(path: Path, count: int, parts: Iterable[Batch]) -> None:
    """The same table as an .npy file.

    Raises:
        OSError: there is no room for the file.
    """
    rest = iter(parts)
    first = next(rest, np.empty((0, 0), np.float32))
    written = write_array(path, chain([first], rest))
    assert written == count, f"{written} rows of {count}"


def read_table(path: Path) -> Float32[np.ndarray, "n d"]:
    """A table that was written, as much of it in memory as there is room for.

    Raises:
        FileNotFoundError: there is no such file.
        ModelFileError: it holds no table.
        StorageError: it cannot be read.
    """
    # Copy on write, as torch warns of tables that must not be written to.
    return np.asarray(mapped_array(path, "c"))


def _in_memory(shape: tuple[int, int], parts: Iterable[Batch]) -> Float32[np.ndarray, "n d"]:
    # Filled in place: a list of parts and their join would need the memory twice.
    table = np.empty(shape, np.float32)
    filled = 0
    for part in parts:
        table[filled : filled + len(part)] = part
        filled += len(part)
    return table


def _in_file(shape: tuple[int, int], parts: Iterable[Batch]) -> Float32[np.ndarray, "n d"]:
    # Not the folder for temporary files, which is often kept in memory.
    folder = cache_folder()
    with _storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as file:
            for part in parts:
                # Written, not mapped: a full disk is then an error and not the end of the process.
                file.write(np.ascontiguousarray(part).data)
            file.flush()
            # Copy on write, as torch warns of tables that must not be written to.
            return np.asarray(np.memmap(file, np.float32, mode="c", shape=shape))


@contextmanager
def _storing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            "the features cannot be stored",
            where=str(folder),
            why=str(error),
            fix="AE_CLS_CACHE=FOLDER, with room in it; or fewer features (encode=latent)",
        ) from error
