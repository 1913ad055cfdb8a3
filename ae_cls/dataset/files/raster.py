"""The first picture of an image file in the file's own numbers, whatever format it came from."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Shaped

MOST_PIXELS = 89_000_000
"""Just below Pillow's own warning: at most 360 MB decoded as bytes."""
MOST_BYTES = 8 * MOST_PIXELS
"""Of all numbers of one picture: four bands of 16 bits, at most 720 MB."""

Colours = Literal["L", "RGB", "CMYK"]
"""What the first bands are: grey, red-green-blue, or inks."""


@final
@dataclass(frozen=True)
class Raster:
    """Numbers of a picture and what the file says that they mean.

    Attributes:
        samples: rows, columns and bands, from the top left as stored.
        colours: the meaning of the first bands; None: the file does not say.
        bits: of one number; 8 where fewer were spread over bytes.
        format: of the file.
        alpha: the band that holds opacity, if one does.
        premultiplied: whether colours were multiplied by opacity.
        white_is_zero: whether the smallest number is white.
        orientation: how the stored picture must be turned (EXIF 2.3, tag 0x0112); 1: not at all.
        pictures: how many the file holds.
        stored_size: height and width before a decoder shrank it; None: as `samples`.
        stored_bits: of a number in the file, where its decoder gives fewer; None: `bits`.
        most: the number that the file declares to be its largest; None: the type's.
    """

    samples: Shaped[np.ndarray, "h w bands"]
    colours: Colours | None
    bits: int
    format: str
    alpha: int | None = None
    premultiplied: bool = False
    white_is_zero: bool = False
    orientation: int = 1
    pictures: int = 1
    stored_size: tuple[int, int] | None = None
    most: int | None = None
    stored_bits: int | None = None

    @property
    def bands(self) -> int:
        """Numbers a pixel."""
        return self.samples.shape[2]

    @property
    def is_bytes(self) -> bool:
        """Whether the numbers are bytes, whose range is never in doubt."""
        return self.samples.dtype == np.uint8

    @property
    def full(self) -> float:
        """The largest number that the file or its type can mean.

        Nobody's white is the last of 4 294 967 296 numbers: integers of 32 and 64 bits are what
        programs keep 16 bits in.
        """
        if self.most is not None:
            return float(self.most)
        if self.samples.dtype.kind == "f":
            return 1.0
        is_signed = self.samples.dtype.kind == "i"
        return 65535.0 if self.bits > 16 else float(2 ** (self.bits - is_signed) - 1)


def refuse_huge(height: int, width: int, bytes_a_pixel: int = 1) -> None:
    """Refuse by the header, before memory is taken.

    Raises:
        ValueError: more than `MOST_PIXELS` or `MOST_BYTES`.
    """
    if height * width > MOST_PIXELS:
        raise ValueError(
            f"its header declares {width}x{height} pixels; "
            f"the limit is {MOST_PIXELS // 1_000_000} million"
        )
    if height * width * bytes_a_pixel > MOST_BYTES:
        raise ValueError(
            f"its header declares {width}x{height} pixels of {bytes_a_pixel} bytes; "
            f"the limit is {MOST_BYTES // 1_000_000} million bytes"
        )
