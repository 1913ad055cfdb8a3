"""Images in an .npy file that may be larger than memory."""

import os
import weakref
from itertools import pairwise
from pathlib import Path
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ae_cls.errors import DataError
from ae_cls.store.arrays import mapped_array
from ae_cls.store.received import not_ours, opened


@final
class StoredImages:
    """An `ImageTable` in a file, of which only the rows that are asked for are in memory.

    They are read, not mapped: touched pages of a mapping count as this process's memory, the system
    touches many more than are asked for, and a mapped file that is cut short kills the process. On
    10^6 images of 32x32x3 reading was as fast for random rows and eight times as fast in sequence.

    Args:
        path: an .npy file of bytes (n, c, h, w) in C order; it stays open, so it may be deleted.
        sha256: of the file, from whoever has hashed it; empty: nobody has.

    Raises:
        FileNotFoundError: there is no such file.
        ModelFileError: the file is damaged, or no such array.
        StorageError: it cannot be read.
    """

    def __init__(self, path: Path, sha256: str = "") -> None:
        table = mapped_array(path)
        if table.dtype != np.uint8 or table.ndim != 4 or not table.flags.c_contiguous:
            raise not_ours(str(path), f"it holds {table.dtype} of {table.shape}, not images")
        self.path, self.shape, self.sha256 = path, torch.Size(table.shape), sha256
        self._held: UInt8[Tensor, "n c h w"] | None = None
        self._first_byte: int = table.offset
        file = opened(path)
        self._file = file.fileno()
        weakref.finalize(self, file.close)

    def __len__(self) -> int:
        return self.shape[0]

    def hold(self) -> None:
        """Keep all images in memory from now on: rows come many times as fast from there."""
        self._held = self.index_select(0, torch.arange(len(self)))

    def index_select(
        self, dim: Literal[0], index: Int64[Tensor, " b"], /
    ) -> UInt8[Tensor, "b c h w"]:
        """The images of these rows, as a copy.

        Raises:
            IndexError: there is no such row.
            DataError: the file cannot be read any more, or was cut short.
        """
        if self._held is not None:
            return self._held.index_select(0, index)
        found = np.empty((len(index), *self.shape[1:]), np.uint8)
        rows = index.numpy()
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)} images")
        # One read for all rows that lie side by side.
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1).tolist()
        for start, end in pairwise([*starts, len(rows)]):
            self._read(int(rows[start]), found[start:end])
        return torch.from_numpy(found)

    def _read(self, row: int, images: UInt8[np.ndarray, "_ c h w"]) -> None:
        """Fill `images` with what is stored from this row on."""
        wanted = images.data.cast("B")
        place = self._first_byte + row * self.shape[1:].numel()
        try:
            while wanted.nbytes:
                count = os.preadv(self._file, [wanted], place)
                if not count:
                    raise EOFError(f"it ends at row {row} or soon after")
                # The system may give less than was asked for, at most 2 GiB at a time.
                wanted, place = wanted[count:], place + count
        except (OSError, EOFError) as error:
            raise DataError(
                "stored images cannot be read", where=str(self.path), why=str(error),
                fix="start again: a damaged file is made again",
            ) from error  # fmt: skip
