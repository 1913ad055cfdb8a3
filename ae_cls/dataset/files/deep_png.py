"""PNG files of 16 bits, of whose colours Pillow gives the upper 8."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from ae_cls.dataset.files.raster import Raster, refuse_huge

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTH, _KIND, _CHECK = 24, 25, 29  # places in the header, which every file begins with
_GREY, _GREY_ALPHA, _COLOUR_ALPHA = 0, 4, 6
_BANDS = {_GREY: 1, 2: 3, _GREY_ALPHA: 2, _COLOUR_ALPHA: 4}
_OPAQUE = 65535


def is_deep_png(head: bytes) -> bool:
    """Whether a file that begins with these 32 bytes is a PNG of 16 bits."""
    return head.startswith(_SIGNATURE) and head[_DEPTH : _DEPTH + 1] == b"\x10" and head[_KIND] != 3


def read_deep_png(path: Path) -> Raster:
    """All 16 bits, of grey and colour, with and without transparency; still as stored.

    Raises:
        ValueError: the file is damaged or too large.
        OSError: likewise, or it cannot be read.
    """
    content = path.read_bytes()
    width, height, _, kind = struct.unpack_from(">IIBB", content, 16)
    if kind not in _BANDS:
        raise ValueError(f"its header declares the colour type {kind}, which PNG does not have")
    refuse_huge(height, width, 2 * _BANDS[kind])
    samples = _grey_alpha(content) if kind == _GREY_ALPHA else _plain(content, kind)
    alpha = samples.shape[2] - 1 if kind in (_GREY_ALPHA, _COLOUR_ALPHA) else None
    transparent = _transparent_colour(content)
    if transparent is not None and alpha is None:
        samples, alpha = _with_alpha(samples, transparent), samples.shape[2]
    return Raster(samples, "L" if kind in (_GREY, _GREY_ALPHA) else "RGB", 16, "PNG", alpha=alpha)


def _plain(content: bytes, kind: int) -> UInt16[np.ndarray, "h w bands"]:
    if kind == _GREY:
        with _opened(content) as image:
            return np.asarray(image, np.uint16)[:, :, None]
    # Read as if it were little-endian, Pillow gives the other byte of each number.
    upper, lower = (_decoded(content, order) for order in ("B", "L"))
    return upper.astype(np.uint16) * 256 + lower


def _decoded(content: bytes, order: str) -> np.ndarray:
    with PngImageFile(io.BytesIO(content)) as image:
        image.tile = [tile._replace(args=f"{image.mode};16{order}") for tile in image.tile]
        return np.asarray(image)


def _grey_alpha(content: bytes) -> UInt16[np.ndarray, "h w 2"]:
    # Grey and alpha of 16 bits lie in the file as four bands of 8 bits do, filters included.
    header = bytearray(content[: _CHECK + 4])
    header[_DEPTH], header[_KIND] = 8, _COLOUR_ALPHA
    header[_CHECK:] = struct.pack(">I", zlib.crc32(header[12:_CHECK]))
    with _opened(bytes(header) + content[_CHECK + 4 :]) as image:
        return np.ascontiguousarray(image).view(">u2").astype(np.uint16)


def _opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=("PNG",))


def _transparent_colour(content: bytes) -> tuple[int, ...] | None:
    with _opened(content) as image:
        image.load()
        colour = image.info.get("transparency")
    return (colour,) if isinstance(colour, int) else colour


def _with_alpha(
    samples: UInt16[np.ndarray, "h w bands"], colour: tuple[int, ...]
) -> UInt16[np.ndarray, "h w more"]:
    """Pixels of the one colour that the file calls transparent get opacity 0."""
    alpha = np.where((samples == np.array(colour)).all(axis=2), 0, _OPAQUE)
    return np.dstack([samples, alpha.astype(np.uint16)])
