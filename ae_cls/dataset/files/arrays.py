"""Arrays that strangers saved, and what makes them images."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import UInt8

from ae_cls.errors import DataError


@final
@dataclass(frozen=True)
class NamedArray:
    """An array, or some rows of one, and where it comes from, for messages.

    Attributes:
        file: it was read from.
        name: of the array.
        values: what it holds.
        first: index of the first row in the whole array.
    """

    file: Path
    name: str
    values: np.ndarray
    first: int = 0

    def images(self) -> UInt8[np.ndarray, "n c h w"]:
        """Bytes, channels first; numbers from 0 to 1 are scaled to 0..255.

        Raises:
            DataError: another shape or type; NaN or numbers outside 0..1, with the first index.
        """
        values = self.channels_first()
        if values.dtype == np.uint8:
            return values
        if values.dtype.kind != "f":
            raise self.wrong(f"it holds {values.dtype}; images are uint8, or floats from 0 to 1")
        # Written so that NaN, which compares false, is outside.
        self.refuse(values, ~((values >= 0) & (values <= 1)), "outside 0..1")
        return np.rint(values * np.float32(255)).astype(np.uint8)

    def channels_first(self) -> np.ndarray:
        """The same numbers as (n, c, h, w).

        Raises:
            DataError: another shape.
        """
        values = self.values
        if values.ndim == 3 and values.size:
            return values[:, None]
        if values.ndim == 4 and values.size and values.shape[3] in (1, 3):
            return np.moveaxis(values, 3, 1)
        if values.ndim == 4 and values.size and values.shape[1] in (1, 3):
            return values
        raise self.wrong(f"its shape is {values.shape}; images are (n,h,w), (n,h,w,c) or (n,c,h,w)")

    def wrong(self, why: str, fix: str = "") -> DataError:
        """The error that names this array."""
        return DataError(
            f"{self.name} cannot be used", where=f"{self.file}: {self.name}", why=why, fix=fix
        )

    def refuse(self, values: np.ndarray, outside: np.ndarray, why: str, fix: str = "") -> None:
        """Raise an error that names the first of the values that are outside, if any is.

        Raises:
            DataError: some are.
        """
        if outside.any():
            first = np.unravel_index(int(outside.argmax()), outside.shape)
            place = f"index {self.first + int(first[0])} holds {values[first]}"
            raise self.wrong(f"{place}: {why}", fix)
