"""One image file of any format we allow, as numbers and their meaning."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ae_cls.dataset.files.deep_png import is_deep_png, read_deep_png
from ae_cls.dataset.files.heif import allow_heif, bits_of, is_heif
from ae_cls.dataset.files.netpbm import read_netpbm, starts_netpbm
from ae_cls.dataset.files.raster import Colours, Raster, refuse_huge
from ae_cls.dataset.files.regular import refuse_special
from ae_cls.dataset.files.tiff import is_tiff, read_tiff

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What Pillow may try. To try all its formats is risky: EPS starts Ghostscript, FITS had bombs."""

_HEAD = 32  # bytes that tell the formats apart
_HEADER = 2**16  # bytes of an AVIF or HEIF in which its properties stand, before the pictures
_ORIENTATION = 0x0112
_COLOURS: dict[str, Colours] = {
    "L": "L", "LA": "L", "RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK",
}  # fmt: skip
"""Modes of Pillow as they are, and what their bands mean."""


def read(path: Path, enough: int) -> Raster:
    """The first picture of a file, in the file's own numbers.

    Args:
        path: a file of one of the `FORMATS`, HEIF where the extra is installed, whatever its name.
        enough: pixels; a decoder that can may shrink a picture whose sides are longer.

    Raises:
        Exception: of any kind, where the file is damaged, too large or no image.
    """
    refuse_special(path)
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if starts_netpbm(head):
        return read_netpbm(path) or _by_pillow(path, FORMATS, enough)
    if is_tiff(head):
        return _tiff(path, enough)
    if is_deep_png(head):
        return _deep_png(path)
    if is_heif(head):
        allow_heif()
        return _with_stored_bits(path, _by_pillow(path, ("HEIF",), enough))
    raster = _by_pillow(path, FORMATS, enough)
    return _with_stored_bits(path, raster) if raster.format == "AVIF" else raster


def _with_stored_bits(path: Path, raster: Raster) -> Raster:
    with path.open("rb") as file:
        return replace(raster, stored_bits=bits_of(file.read(_HEADER)))


def _tiff(path: Path, enough: int) -> Raster:
    found = read_tiff(path)
    if isinstance(found, Raster):
        return found
    return replace(_by_pillow(path, ("TIFF",), enough), pictures=found)


def _deep_png(path: Path) -> Raster:
    raster = read_deep_png(path)
    with Image.open(path, formats=("PNG",)) as image:
        image.load()  # some programs write EXIF behind the picture
        return replace(raster, orientation=_orientation(image), pictures=_pictures(image))


def _by_pillow(path: Path, formats: tuple[str, ...], enough: int) -> Raster:
    try:
        opened = Image.open(path, formats=formats)
    except UnidentifiedImageError as error:  # Pillow says no more than the path
        raise ValueError(
            f"it is not an image in any of the formats {', '.join(FORMATS)}"
        ) from error
    with opened as image:
        refuse_huge(image.height, image.width)
        declared = image.size
        # libjpeg can shrink while it decodes, which is far faster on photographs.
        shrunk = image.draft(None, (enough, enough)) is not None
        image.load()
        return _raster(image, declared if shrunk else image.size)


def _raster(image: Image.Image, size: tuple[int, int]) -> Raster:
    plain = _plain(image)
    samples = np.asarray(plain)
    width, height = size
    return Raster(
        samples[:, :, None] if samples.ndim == 2 else samples,
        _COLOURS[plain.mode],
        8,
        image.format or "",
        alpha=len(plain.getbands()) - 1 if plain.mode in ("LA", "RGBA") else None,
        orientation=_orientation(image),
        pictures=_pictures(image),
        stored_size=(height, width),
    )


def _plain(image: Image.Image) -> Image.Image:
    """In one of the modes whose bands are what they say: no palette, no colour made transparent."""
    if image.mode in ("LA", "RGBA", "CMYK"):
        return image
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("1", "L"):
        return image.convert("L")
    if image.mode in ("P", "RGB", "RGBX", "YCbCr", "LAB"):
        return image.convert("RGB")
    raise ValueError(f"its pixels are of the kind {image.mode}, which cannot be read")


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:
        return 1  # broken EXIF says nothing about the picture


def _pictures(image: Image.Image) -> int:
    try:
        return getattr(image, "n_frames", 1)
    except Exception:
        return 1  # what lies behind the first picture is damaged; the picture is not
