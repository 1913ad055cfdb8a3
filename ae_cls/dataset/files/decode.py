"""An image file brought to one size and channel count: one decoder for training and predicting."""

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from ae_cls.errors import DataError

Fit = Literal["crop", "pad", "stretch"]
Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)

FORMAT = "1"
"""Changes when the same file would give other bytes."""

SUFFIXES = (
    ".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Suffixes of the files that count as images."""

# What Pillow may try. To try all its formats is risky: EPS starts Ghostscript, FITS had bombs.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_MOST_PIXELS = 89_000_000  # just below Pillow's own warning: at most 360 MB decoded
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112


def decode(
    path: Path, *, channels: int, height: int, width: int, fit: Fit, background: Colour = WHITE
) -> UInt8[np.ndarray, "c h w"]:
    """The upright picture: EXIF orientation applied, no transparency, 16 bits scaled to 8.

    Of an animation or a document it is the first picture; colour profiles are not applied.

    Args:
        path: a BMP, GIF, JPEG, PNG, PBM/PGM/PPM, TIFF or WebP file, whatever its name.
        channels: 1 for grey (ITU-R 601 luma), 3 for colour.
        height: in pixels.
        width: in pixels.
        fit: crop: fill the frame and cut off the rest; pad: show everything, on the background;
            stretch: bring both sides to size, whatever that does to the proportions.
        background: red, green and blue, behind transparent pixels and around padded pictures.

    Raises:
        DataError: not a regular file, not an image, damaged, or more than 89 million pixels.
    """
    try:
        _refuse_special(path)
        with quiet(), Image.open(path, formats=_FORMATS) as image:
            _refuse_huge(image)
            upright = _upright(image, 2 * max(height, width))
            picture = _fitted(
                _without_alpha(upright, "L" if channels == 1 else "RGB", background),
                height,
                width,
                fit,
                background,
            )
    except Exception as error:
        # Given strangers' bytes a decoder may raise anything, and one file must not end a scan.
        raise DataError(
            f"{path.name} cannot be decoded",
            where=str(path),
            why=_reason(error),
            fix="replace the file, or move it away",
        ) from error
    return np.asarray(picture).reshape(height, width, channels).transpose(2, 0, 1)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # Pillow says no more than the path
        return f"it is not an image in any of the formats {', '.join(_FORMATS)}"
    return str(error) or type(error).__name__


@contextmanager
def quiet() -> Iterator[None]:
    """Without Pillow's warnings: what is wrong is an error here, and the rest does not matter.

    Python has one list of filters for all threads, so code that decodes in several threads also
    holds this around them; then it does not matter which thread restores the list first.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _refuse_special(path: Path) -> None:
    # Before opening: opening a FIFO waits for a writer.
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is not a regular file")


def _refuse_huge(image: Image.Image) -> None:
    if image.width * image.height > _MOST_PIXELS:
        raise ValueError(
            f"its header declares {image.width}x{image.height} pixels; "
            f"the limit is {_MOST_PIXELS // 1_000_000} million"
        )


def _upright(image: Image.Image, enough: int) -> Image.Image:
    # libjpeg can shrink while it decodes, which is far faster on photographs; the rest ignore it.
    image.draft(None, (enough, enough))
    image.load()
    turn = _UPRIGHT.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:
        return 1  # broken EXIF says nothing about the picture


def _without_alpha(image: Image.Image, mode: str, background: Colour) -> Image.Image:
    image = _eight_bits(image)
    if not image.has_transparency_data:
        return image.convert(mode)
    image = image.convert("RGBA")
    ground = Image.new("RGBA", image.size, (*background, 255))
    return Image.alpha_composite(ground, image).convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        return _scaled(image, 1.0)
    if image.mode.startswith("I"):  # I;16, I;16B and, from some formats, 16 bits in an I of 32
        return _scaled(image, 65535.0)
    return image


def _scaled(image: Image.Image, white: float) -> Image.Image:
    values = np.asarray(image, dtype=np.float32)
    if not (values.min() >= 0 and values.max() <= white):
        raise ValueError(f"some values are outside 0..{white:g}, so it is unknown what is white")
    return Image.fromarray(np.rint(values * (255.0 / white)).astype(np.uint8))


def _fitted(
    image: Image.Image, height: int, width: int, fit: Fit, background: Colour
) -> Image.Image:
    # Pillow's bicubic widens its kernel when it shrinks, so nothing aliases.
    size, method = (width, height), Image.Resampling.BICUBIC
    match fit:
        case "crop":
            return ImageOps.fit(image, size, method)
        case "pad":
            return ImageOps.pad(image, size, method, color=_of_mode(background, image.mode))
        case "stretch":
            return image.resize(size, method)


def _of_mode(colour: Colour, mode: str) -> tuple[int, ...]:
    return tuple(Image.new("RGB", (1, 1), colour).convert(mode).tobytes())
