"""TIFF files whose numbers Pillow cannot hold or takes for others: depth, sign, bands, planes.

tifffile reads the tags (TIFF 6.0, BigTIFF, and the technical note on predictor 3); strips and tiles
are put together here, so that no more memory is taken than the header declares.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from ae_cls.dataset.files.raster import Colours, Raster, refuse_huge

if TYPE_CHECKING:
    from tifffile import TiffPage

_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_COLOURS: dict[int, Colours] = {
    _WHITE_IS_ZERO: "L", _BLACK_IS_ZERO: "L", _RGB: "RGB", _PALETTE: "RGB", _CMYK: "CMYK",
}  # fmt: skip
_COUNT = {"L": 1, "RGB": 3, "CMYK": 4}
_UNSPECIFIED, _PREMULTIPLIED, _ALPHA = 0, 1, 2  # extra samples
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}  # sample formats; 4: undefined, read as numbers
_UNCOMPRESSED, _FAX, _JPEG, _DEFLATE = 1, (2, 3, 4), (6, 7), (8, 32946)
_BY_LIBTIFF = {5: 5, 32773: 32773, 34925: 34925, 50000: 50000, 34926: 50000}
"""LZW, PackBits, LZMA and Zstandard, which had another number once."""
_INK_SET, _ORIENTATION, _EXTRA_SAMPLES, _YCBCR_SUBSAMPLING = 332, 274, 338, 530
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def is_tiff(head: bytes) -> bool:
    """Whether a file begins as TIFF files do."""
    return head.startswith(_STARTS)


def read_tiff(path: Path) -> Raster | int:
    """The numbers of the first picture; only how many pictures there are where Pillow reads it.

    Raises:
        ValueError: the file is damaged, too large, or means something that cannot be shown.
    """
    from tifffile import TiffFile  # here, as few files need it

    with TiffFile(path) as file:
        page, pictures = file.pages.first, len(file.pages)
        bytes_a_pixel = page.samplesperpixel * max(1, _bits(page) // 8)
        refuse_huge(page.imagelength, page.imagewidth, bytes_a_pixel)
        _refuse_unclear(page)
        if _pillow_reads(page):
            return pictures
        return _raster(page, pictures)


def _bits(page: "TiffPage") -> int:
    bits = page.tags.valueof(258, 1)
    each = set(bits) if isinstance(bits, tuple) else {bits}
    if len(each) > 1:
        raise ValueError(f"its bands have different depths, {', '.join(map(str, bits))} bits")
    return each.pop()


def _refuse_unclear(page: "TiffPage") -> None:
    """What neither reader shows as it is meant."""
    if page.imagedepth > 1:
        raise ValueError(f"it is a volume of {page.imagedepth} layers: save each as a picture")
    if page.photometric == _CMYK and page.tags.valueof(_INK_SET, 1) != 1:
        raise ValueError("its inks are not CMYK: save it as RGB")
    if page.photometric not in (*_COLOURS, _YCBCR, _LAB):
        name = getattr(page.photometric, "name", page.photometric)
        raise ValueError(f"a TIFF of {name} colours cannot be read: save it as RGB or grey")
    subsampled = page.tags.valueof(_YCBCR_SUBSAMPLING, (2, 2)) != (1, 1)
    if page.photometric == _YCBCR and page.compression not in _JPEG and subsampled:
        raise ValueError("its YCbCr colours are subsampled without JPEG: save it as RGB")


def _pillow_reads(page: "TiffPage") -> bool:
    """Whether Pillow has a mode in which these numbers mean what they do in the file."""
    if page.compression in (*_FAX, *_JPEG):
        return True
    if page.parent.is_bigtiff:
        return False  # Pillow reads the little-endian ones only
    if page.photometric == _PALETTE and _colour_map(page).max() < 256:
        return False  # some programs write bytes where the format has 16 bits
    depths = (1, 2, 4, 8) if page.samplesperpixel == 1 else (8,)
    plain = page.sampleformat in (1, 4) and _bits(page) in depths
    usual = page.fillorder == 1 and page.planarconfig == 1
    return plain and usual and _extra(page) in _extra_of_pillow(page)


def _extra_of_pillow(page: "TiffPage") -> tuple[tuple[int, ...], ...]:
    if page.photometric == _RGB:
        return (), (_PREMULTIPLIED,), (_ALPHA,)
    if page.photometric == _BLACK_IS_ZERO and _bits(page) == 8:
        return (), (_ALPHA,)
    return ((),)


def _extra(page: "TiffPage") -> tuple[int, ...]:
    """What the bands after the colours are; unspecified where the file does not say."""
    colours = _COUNT.get(_COLOURS.get(page.photometric, "RGB"), 3)
    if page.photometric == _PALETTE:
        colours = 1
    given = tuple(int(kind) for kind in page.extrasamples)
    count = page.samplesperpixel - colours
    if count < 0:
        raise ValueError(f"it has {page.samplesperpixel} bands, too few for its colours")
    if page.photometric == _RGB and count == 1 and _EXTRA_SAMPLES not in page.tags:
        return (_ALPHA,)  # as those programs mean it that forget to say so
    return (given + (_UNSPECIFIED,) * count)[:count]


def _raster(page: "TiffPage", pictures: int) -> Raster:
    if page.photometric in (_YCBCR, _LAB):
        name = {_YCBCR: "YCbCr", _LAB: "Lab"}[page.photometric]
        raise ValueError(f"{name} colours of this layout cannot be read: save it as RGB")
    extra, samples = _extra(page), _samples(page)
    colours = _COLOURS[page.photometric]
    bits = max(8, _bits(page))
    if page.photometric == _PALETTE:
        samples, bits = _coloured(page, samples), 8
    first_extra = _COUNT[colours]
    opacity = [first_extra + i for i, kind in enumerate(extra) if kind in (1, 2)]
    return Raster(
        _spread(page, samples),
        # Which band of several a person wants to see is nothing that a file says.
        colours if colours != "L" or set(extra) <= {_ALPHA, _PREMULTIPLIED} else None,
        bits,
        "TIFF",
        alpha=opacity[0] if opacity else None,
        premultiplied=bool(opacity) and extra[opacity[0] - first_extra] == _PREMULTIPLIED,
        white_is_zero=page.photometric == _WHITE_IS_ZERO,
        orientation=int(page.tags.valueof(_ORIENTATION, 1)),
        pictures=pictures,
    )


def _spread(page: "TiffPage", samples: np.ndarray) -> np.ndarray:
    """Numbers of fewer than 8 bits as bytes."""
    bits = _bits(page)
    if bits >= 8 or page.photometric == _PALETTE:
        return samples
    return np.rint(samples * (255 / (2**bits - 1))).astype(np.uint8)


def _colour_map(page: "TiffPage") -> Shaped[np.ndarray, "3 n"]:
    if page.colormap is None:
        raise ValueError("it has a palette without colours")
    return np.asarray(page.colormap)


def _coloured(page: "TiffPage", samples: np.ndarray) -> np.ndarray:
    """The colours of a palette, and the bands behind it."""
    colours = _colour_map(page)
    table = (colours if colours.max() < 256 else colours >> 8).astype(np.uint8)
    if samples.max() >= table.shape[1]:
        raise ValueError(f"it holds the colour {samples.max()} of {table.shape[1]}")
    rest = samples[:, :, 1:]
    if rest.size and samples.dtype.itemsize > 1:
        raise ValueError("it has a palette of 16 bits and further bands: save it as RGB")
    return np.concatenate([table.T[samples[:, :, 0]], rest.astype(np.uint8)], axis=2)


def _samples(page: "TiffPage") -> Shaped[np.ndarray, "h w bands"]:
    """All bands, put together from strips or tiles."""
    kind = _kind(page)
    height, width, bands = page.imagelength, page.imagewidth, page.samplesperpixel
    whole = np.empty((height, width, bands), kind.newbyteorder("="))
    for rows, columns, planes, content in _segments(page):
        part = whole[rows : rows + _tall(page), columns : columns + _wide(page), planes]
        shape = (_tall(page) if page.is_tiled else part.shape[0], _wide(page), part.shape[2])
        values = _values(page, content, kind, shape)
        part[...] = values[: part.shape[0], : part.shape[1]]
    return whole


def _kind(page: "TiffPage") -> np.dtype:
    bits, order = _bits(page), page.parent.byteorder
    letter = _KINDS.get(page.sampleformat)
    packed = letter == "u" and 1 <= bits <= 16
    if letter is None or not (packed or bits in (8, 16, 32, 64)) or (letter == "f" and bits == 8):
        kinds = {1: "unsigned", 2: "signed", 3: "float", 5: "complex", 6: "complex float"}
        raise ValueError(
            f"{bits} bits of the kind {kinds.get(page.sampleformat, page.sampleformat)} cannot be "
            "read: save it with 8 or 16 bits"
        )
    return np.dtype(f"{order}{letter}{1 if bits <= 8 else 2 if bits <= 16 else bits // 8}")


def _tall(page: "TiffPage") -> int:
    return page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)


def _wide(page: "TiffPage") -> int:
    return page.tilewidth if page.is_tiled else page.imagewidth


def _segments(page: "TiffPage") -> Iterator[tuple[int, int, slice, bytes]]:
    """First row, first column, bands and bytes of each strip or tile.

    Raises:
        ValueError: the file ends before they do.
    """
    down, across = -(-page.imagelength // _tall(page)), -(-page.imagewidth // _wide(page))
    separate = page.planarconfig == 2 and page.samplesperpixel > 1
    count = down * across * (page.samplesperpixel if separate else 1)
    offsets, lengths = page.dataoffsets[:count], page.databytecounts[:count]
    size = page.parent.filehandle.size
    if min(len(offsets), len(lengths)) < count or min(lengths) < 1:
        raise ValueError(f"some of its {count} strips or tiles are missing")
    if max(map(sum, zip(offsets, lengths, strict=True))) > size:
        raise ValueError(f"its data end at {size} bytes, before the last strip or tile")
    for place, (offset, length) in enumerate(zip(offsets, lengths, strict=True)):
        page.parent.filehandle.seek(offset)
        plane, rest = divmod(place, down * across)
        row, column = divmod(rest, across)
        bands = slice(plane, plane + 1) if separate else slice(None)
        content = page.parent.filehandle.read(length)
        yield row * _tall(page), column * _wide(page), bands, content


def _values(
    page: "TiffPage", content: bytes, kind: np.dtype, shape: tuple[int, int, int]
) -> Shaped[np.ndarray, "rows columns bands"]:
    height, width, bands = shape
    bits = _bits(page)
    row_bytes = -(-width * bands * bits // 8)
    plain = _decompressed(page, content, height, row_bytes)
    if bits not in (8, 16, 32, 64):
        return _unpacked(plain, bits, height, width * bands).reshape(shape)
    if page.predictor == 3:
        return _unpredicted_floats(plain, kind, shape)
    values = np.frombuffer(plain, kind).reshape(shape)
    if page.predictor == 2:
        if kind.kind == "f":
            values = values.view(kind.str.replace("f", "u"))
        native = values.dtype.newbyteorder("=")
        summed = np.add.accumulate(values.astype(native), axis=1, dtype=native)
        return summed.view(kind.newbyteorder("="))
    return values


def _decompressed(page: "TiffPage", content: bytes, height: int, row_bytes: int) -> bytes:
    size = height * row_bytes
    if page.fillorder == 2:
        content = content.translate(_REVERSED)
    if page.compression == _UNCOMPRESSED:
        plain = content[:size]
    elif page.compression in _DEFLATE:
        plain = zlib.decompressobj().decompress(content, size)
    elif page.compression in _BY_LIBTIFF:
        plain = _by_libtiff(content, _BY_LIBTIFF[page.compression], height, row_bytes)
    else:
        name = getattr(page.compression, "name", page.compression)
        raise ValueError(f"its compression {name} cannot be read: save it with LZW or without")
    if len(plain) < size:
        raise ValueError(f"a strip or tile ends after {len(plain)} of {size} bytes")
    return plain


def _by_libtiff(content: bytes, compression: int, height: int, row_bytes: int) -> bytes:
    """The bytes as libtiff gives them: to it, they are a grey picture in a file of its own."""
    tags = [
        (256, row_bytes), (257, height), (258, 8), (259, compression), (262, _BLACK_IS_ZERO),
        (273, 8 + 2 + 10 * 12 + 4), (277, 1), (278, height), (279, len(content)), (284, 1),
    ]  # fmt: skip
    header = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    file = io.BytesIO(header + entries + struct.pack("<I", 0) + content)
    with Image.open(file, formats=("TIFF",)) as image:
        return image.tobytes()


def _unpacked(plain: bytes, bits: int, height: int, count: int) -> np.ndarray:
    """Numbers that lie bit behind bit; each row begins with a new byte."""
    lines = np.frombuffer(plain, np.uint8).reshape(height, -1)
    rows = np.unpackbits(lines, axis=1, count=count * bits).reshape(height, count, bits)
    values = np.zeros((height, count), np.uint8 if bits <= 8 else np.uint16)
    for place in range(bits):
        values = values << 1 | rows[:, :, place]
    return values


def _unpredicted_floats(
    plain: bytes, kind: np.dtype, shape: tuple[int, int, int]
) -> Shaped[np.ndarray, "rows columns bands"]:
    """First all highest bytes of a row, then the next; each the difference to its neighbour."""
    height, width, bands = shape
    differences = np.frombuffer(plain, np.uint8).reshape(height, -1, bands)
    summed = np.add.accumulate(differences, axis=1, dtype=np.uint8)
    planes = summed.reshape(height, kind.itemsize, width * bands)
    whole = np.ascontiguousarray(planes.transpose(0, 2, 1))
    return whole.view(f">f{kind.itemsize}").reshape(shape)
