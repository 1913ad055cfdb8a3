"""Hashes of stretches of a table's rows: a few rows are checked without reading the others.

Label budgets need a few hundred rows of a table of hundreds of megabytes; hashing all of it takes
longer than fitting the head.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Int64, Shaped

from ae_cls.errors import ModelFileError
from ae_cls.store.arrays import mapped_array
from ae_cls.store.files import publish, row_hashes_of
from ae_cls.store.received import MOST_PER_CLASS, read_bytes

_STRETCH = 2**16  # bytes; rows are whole, so one row may be more
_DIGEST = hashlib.sha256().digest_size


def hashed(
    table: Path, count: int, parts: Iterable[Shaped[np.ndarray, "_ d"]]
) -> Iterator[Shaped[np.ndarray, "_ d"]]:
    """The same parts; once all have been taken, their hashes lie beside the table.

    Args:
        table: the .npy file that they are written to.
        count: rows of all parts.
        parts: stretches of its rows, in order.

    Raises:
        StorageError: the hashes cannot be written.
    """
    hasher = _Hasher()
    for part in parts:
        hasher.add(part, (count, *part.shape[1:]))
        yield part
    publish(row_hashes_of(table), hasher.digests())


@final
class _Hasher:
    """Hashes one stretch after the other, however the rows come."""

    def __init__(self) -> None:
        self._stretches: list[hashlib._Hash] = []
        self._room = 0  # rows that the last stretch has room for

    def add(self, rows: Shaped[np.ndarray, "_ d"], whole: tuple[int, ...]) -> None:
        """The next rows of a table of that shape."""
        while len(rows):
            if not self._room:
                self._stretches.append(hashlib.sha256(_header(rows.dtype, whole)))
                self._room = _rows_in_stretch(rows)
            stretch, rows = rows[: self._room], rows[self._room :]
            self._stretches[-1].update(np.ascontiguousarray(stretch).data)
            self._room -= len(stretch)

    def digests(self) -> bytes:
        """Of all stretches."""
        return b"".join(stretch.digest() for stretch in self._stretches)


def check_rows(table: Path, rows: Int64[np.ndarray, " r"] | None = None) -> None:
    """Compare these rows, and their neighbours, with the hashes beside the table.

    Args:
        table: an .npy file.
        rows: in any order; None: all of them.

    Raises:
        ModelFileError: a row is damaged, or the file is.
        OSError, StorageError: a file cannot be read.
    """
    stored = mapped_array(table)
    wanted = np.arange(_stretches(stored))
    if rows is not None:
        wanted = np.unique(rows // _rows_in_stretch(stored))
    digests = read_bytes(row_hashes_of(table), most=MOST_PER_CLASS)
    expected = [digests[place * _DIGEST : (place + 1) * _DIGEST] for place in wanted]
    if list(_hashes(stored, wanted)) != expected:
        raise ModelFileError(
            "a file is damaged", where=str(table), why="rows of it differ from their hashes"
        )


def _header(kind: np.dtype, shape: tuple[int, ...]) -> bytes:
    """Begins each stretch: with another shape or type the same bytes are other numbers."""
    return f"{kind.str}{shape}".encode()


def _rows_in_stretch(rows: np.ndarray) -> int:
    return max(1, _STRETCH // max(1, rows[:1].nbytes))


def _stretches(rows: np.ndarray) -> int:
    return -(-len(rows) // _rows_in_stretch(rows))


def _hashes(rows: np.ndarray, stretches: Int64[np.ndarray, " s"]) -> Iterator[bytes]:
    length, header = _rows_in_stretch(rows), _header(rows.dtype, rows.shape)
    for place in stretches.tolist():
        stretch = np.ascontiguousarray(rows[place * length : (place + 1) * length])
        hasher = hashlib.sha256(header)
        hasher.update(stretch.data)
        yield hasher.digest()
