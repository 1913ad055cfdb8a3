"""An image file brought to one size and channel count: one decoder for training and predicting."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageOps

from ae_cls.dataset.decoding import Decoding, Frame
from ae_cls.dataset.facts import FileFacts
from ae_cls.dataset.files.eight_bits import eight_bits
from ae_cls.dataset.files.raster import Raster
from ae_cls.dataset.files.read import read
from ae_cls.errors import DataError

FORMAT = "3"
"""Changes when the same file would give other bytes or other facts."""

SUFFIXES = (
    ".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfi", ".jfif", ".jif", ".jpe", ".jpeg",
    ".jpg", ".pbm", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Suffixes of the files that count as images."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = (5, 6, 7, 8)  # orientations that change height and width
_ONE_IN_200 = 0.5  # per cent
_LARGEST_PICTURE = 2**29  # bytes, while it is decoded
_ENOUGH_PIXELS = 2**20  # for a percentile


@final
@dataclass(frozen=True)
class Picture:
    """A decoded file, and what was seen in it."""

    image: UInt8[np.ndarray, "c h w"]
    facts: FileFacts


def decode(path: Path, frame: Frame) -> UInt8[np.ndarray, "c h w"]:
    """The upright picture: EXIF orientation applied, transparency on the background, all bits used.

    Of an animation or a document it is the first picture; colour profiles are not applied.

    Args:
        path: an AVIF, BMP, GIF, HEIC, JPEG, PNG, PBM/PGM/PPM/PFM, TIFF or WebP file, whatever its
            name.
        frame: what it is brought to, and how.

    Raises:
        DataError: not a regular file, not an image, damaged, more than 89 million pixels, or of
            numbers of which it is unknown what is white.
    """
    picture = picture_of(path, frame)
    facts = picture.facts
    if frame.decoding.black is None and not (facts.lowest >= 0 and not facts.highest > facts.full):
        raise _undecodable(
            path,
            f"it holds {facts.lowest:g} to {facts.highest:g}, and so it is unknown which number is "
            "black and which is white",
        )
    return picture.image


def picture_of(path: Path, frame: Frame) -> Picture:
    """As `decode`, with facts; numbers outside the range of their type are clipped, not refused.

    For many files at once: whether their numbers use the range is asked of all together.

    Raises:
        DataError: as `decode`, but for the range.
    """
    try:
        with quiet():
            return _picture(path, frame)
    except Exception as error:
        if isinstance(error, MemoryError) and not _has_room_for_a_picture():
            raise  # no fault of the file
        # Given strangers' bytes a decoder may raise anything, and one file must not end a scan.
        raise _undecodable(path, str(error) or type(error).__name__) from error


def _has_room_for_a_picture() -> bool:
    """Whether there is memory for the largest one that is allowed."""
    try:
        return len(bytearray(_LARGEST_PICTURE)) > 0
    except MemoryError:
        return False


def _undecodable(path: Path, why: str) -> DataError:
    return DataError(
        f"{path.name} cannot be decoded",
        where=str(path),
        why=why,
        fix="replace the file, or move it away",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Without Pillow's warnings: what is wrong is an error here, and the rest does not matter.

    Python has one list of filters for all threads, so code that decodes in several threads also
    holds this around them; then it does not matter which thread restores the list first.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _picture(path: Path, frame: Frame) -> Picture:
    raster = read(path, 2 * max(frame.height, frame.width))
    _refuse_not_finite(raster)
    image = eight_bits(raster, frame.decoding)
    turn = _UPRIGHT.get(raster.orientation)
    upright = image if turn is None else image.transpose(turn)
    mode = "L" if frame.channels == 1 else "RGB"
    fitted = _fitted(_without_alpha(upright, mode, frame.decoding), frame)
    shape = (frame.height, frame.width, frame.channels)
    decoded = np.asarray(fitted).reshape(shape).transpose(2, 0, 1)
    return Picture(decoded, _facts(raster, decoded, frame.decoding))


def _refuse_not_finite(raster: Raster) -> None:
    if raster.samples.dtype.kind == "f":
        wrong = int((~np.isfinite(raster.samples)).sum())
        if wrong:
            raise ValueError(
                f"{wrong} of its {raster.samples.size} numbers are NaN or infinite: replace them"
            )


def _without_alpha(image: Image.Image, mode: str, decoding: Decoding) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert(mode)
    image = image.convert("RGBA")
    ground = Image.new("RGBA", image.size, (*decoding.background_colour, 255))
    return Image.alpha_composite(ground, image).convert(mode)


def _fitted(image: Image.Image, frame: Frame) -> Image.Image:
    # Pillow's bicubic widens its kernel when it shrinks, so nothing aliases.
    size, method = (frame.width, frame.height), Image.Resampling.BICUBIC
    match frame.decoding.fit:
        case "crop":
            return ImageOps.fit(image, size, method)
        case "pad":
            return ImageOps.pad(image, size, method, color=_ground(image.mode, frame.decoding))
        case "stretch":
            return image.resize(size, method)


def _ground(mode: str, decoding: Decoding) -> tuple[int, ...]:
    colour = Image.new("RGB", (1, 1), decoding.background_colour).convert(mode)
    return tuple(colour.tobytes())


def _facts(raster: Raster, decoded: UInt8[np.ndarray, "c h w"], decoding: Decoding) -> FileFacts:
    values = _looked_at(raster, decoding)
    height, width = raster.stored_size or raster.samples.shape[:2]
    lying = raster.orientation in _LYING
    lowest, highest = float(values.min()), float(values.max())
    low, high = (lowest, highest) if raster.is_bytes else _percentiles(values)
    ranged = not raster.is_bytes and raster.colours != "CMYK"
    one_colour = bool((decoded == decoded[:, :1, :1]).all())
    return FileFacts(
        height=width if lying else height,
        width=height if lying else width,
        bands=raster.bands,
        bits=raster.bits,
        stored_bits=raster.stored_bits or raster.bits,
        is_float=raster.samples.dtype.kind == "f",
        white_is_zero=raster.white_is_zero,
        lowest=lowest,
        highest=highest,
        low=low,
        high=high,
        full=raster.full if ranged else float("nan"),
        pictures=raster.pictures,
        has_alpha=raster.alpha is not None,
        unused_bands=_unused(raster, decoding),
        one_colour=one_colour,
        flattened=one_colour and bool((raster.samples != raster.samples[:1, :1]).any()),
        format=raster.format,
    )


def _looked_at(raster: Raster, decoding: Decoding) -> Shaped[np.ndarray, "h w bands"]:
    """The numbers that became channels."""
    if decoding.bands is not None:
        return raster.samples[:, :, [band - 1 for band in decoding.bands]]
    return raster.samples[:, :, : {"L": 1, "RGB": 3, "CMYK": 4, None: None}[raster.colours]]


def _percentiles(values: Shaped[np.ndarray, "h w bands"]) -> tuple[float, float]:
    pixels = values.reshape(-1, values.shape[2])
    some = pixels[:: 1 + len(pixels) // _ENOUGH_PIXELS]
    low, high = np.percentile(some, (_ONE_IN_200, 100 - _ONE_IN_200))
    return float(low), float(high)


def _unused(raster: Raster, decoding: Decoding) -> int:
    if decoding.bands is not None:
        return raster.bands - len(set(decoding.bands))
    colours = {"L": 1, "RGB": 3, "CMYK": 4, None: raster.bands}[raster.colours]
    return raster.bands - colours - (raster.alpha is not None)
