"""Hashes of stretches of a table's rows: a few rows are checked without reading the others.

Label budgets need some hundred rows of a table of hundreds of megabytes; to hash all of it takes
longer than to fit the head.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from ae_cls.errors import ModelFileError
from ae_cls.store.files import publish

SUFFIX = ".sha256"
_STRETCH = 2**16  # bytes; rows are whole, so one row may be more
_DIGEST = hashlib.sha256().digest_size


def has_row_hashes(path: Path) -> bool:
    """Whether hashes of its rows lie beside a file."""
    return _beside(path).is_file()


def write_row_hashes(table: Path) -> None:
    """Put the hashes of an .npy table beside it.

    Raises:
        OSError: the table cannot be read.
        StorageError: the hashes cannot be written.
    """
    rows = _mapped(table)
    publish(_beside(table), b"".join(_hashes(rows, np.arange(_stretches(rows)))))


def check_rows(table: Path, rows: Int64[np.ndarray, " r"] | None = None) -> None:
    """Compare what is stored of these rows, and of their neighbours, with the hashes beside it.

    Args:
        table: an .npy file.
        rows: in any order; None: all.

    Raises:
        ModelFileError: a row is not what was written.
        OSError: a file cannot be read.
    """
    try:
        stored = _mapped(table)
    except ValueError as error:
        raise ModelFileError("a file is damaged", where=str(table), why=str(error)) from error
    wanted = np.arange(_stretches(stored))
    if rows is not None:
        wanted = np.unique(rows // _rows_in_stretch(stored))
    told = _beside(table).read_bytes()
    expected = [told[place * _DIGEST : (place + 1) * _DIGEST] for place in wanted]
    if list(_hashes(stored, wanted)) != expected:
        raise ModelFileError(
            "a file is damaged", where=str(table), why="rows of it are not what was written"
        )


def _mapped(table: Path) -> np.ndarray:
    return np.load(table, mmap_mode="r", allow_pickle=False)


def _beside(table: Path) -> Path:
    return table.with_name(table.name + SUFFIX)


def _rows_in_stretch(rows: np.ndarray) -> int:
    return max(1, _STRETCH // max(1, rows[:1].nbytes))


def _stretches(rows: np.ndarray) -> int:
    return -(-len(rows) // _rows_in_stretch(rows))


def _hashes(rows: np.ndarray, stretches: Int64[np.ndarray, " s"]) -> Iterator[bytes]:
    # With the header: other shapes and types would read other numbers out of the same bytes.
    length, header = _rows_in_stretch(rows), f"{rows.dtype.str}{rows.shape}".encode()
    for place in stretches.tolist():
        stretch = np.ascontiguousarray(rows[place * length : (place + 1) * length])
        told = hashlib.sha256(header)
        told.update(stretch.data)
        yield told.digest()
