"""Arrays that strangers saved, and what makes them images."""

import math
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
        """Bytes, channels first: integers as they are, floats from 0 to 1 and bool times 255.

        Whether the numbers are such is asked of all arrays together (`refuse_unclear`).

        Raises:
            DataError: another shape.
        """
        values = self.channels_first()
        if values.dtype.kind in "iu":
            return values.astype(np.uint8, copy=False)
        return np.rint(values * np.float32(255)).astype(np.uint8)

    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest number.

        Raises:
            DataError: no numbers; NaN or infinite ones, with the first index.
        """
        if self.values.dtype.kind not in "biuf":
            raise self.wrong(f"it holds {self.values.dtype}; images are numbers")
        if self.values.dtype.kind == "f":
            fix = f"{self.name} = np.nan_to_num({self.name}, posinf=0, neginf=0)"
            self.refuse(self.values, ~np.isfinite(self.values), "not a number of a picture", fix)
        return float(self.values.min()), float(self.values.max())

    @property
    def place(self) -> str:
        """For people: the file, and the array or column in it."""
        return f"{self.file.name}: {self.name}"

    def words(self, values: np.ndarray) -> list[str]:
        """Names among `values`, without blanks around them.

        Raises:
            DataError: they are bytes, and no text.
        """
        if values.dtype.kind == "U":
            return [word.strip() for word in values.tolist()]
        try:
            return [word.decode().strip() for word in values.tolist()]
        except UnicodeDecodeError as error:
            raise self.wrong(str(error), "labels = np.char.decode(labels, 'latin-1')") from error

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
        why = f"its shape is {values.shape}; images are (n,h,w), (n,h,w,c) or (n,c,h,w)"
        raise self.wrong(why, _fix_of_shape(self.name, values.shape))

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


def _fix_of_shape(name: str, shape: tuple[int, ...]) -> str:
    """The line of Python that gives these numbers the shape of images."""
    if 0 in shape:
        return "save at least one image"
    if len(shape) == 2:
        return f"{name} = {name}.reshape({_square(shape[1])})"
    if len(shape) == 4:
        return f"{name} = {name}[..., :3], if the first three of the last axis are the colours"
    return f"{name} = {name}.reshape(-1, HEIGHT, WIDTH, 3), or (-1, HEIGHT, WIDTH) if they are grey"


def _square(numbers: int) -> str:
    """The shape of images of so many numbers, if they may be square: grey, or else colour."""
    for channels in (1, 3):
        side = math.isqrt(numbers // channels)
        if side * side * channels == numbers:
            return f"-1, {side}, {side}" if channels == 1 else f"-1, 3, {side}, {side}"
    return "-1, HEIGHT, WIDTH), (-1, HEIGHT, WIDTH, 3) or (-1, 3, HEIGHT, WIDTH"
