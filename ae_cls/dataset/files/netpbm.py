"""PGM and PPM files of more than 8 bits, and PFM: numbers that Pillow scales or cannot read.

The formats are those of the Netpbm manual (pgm, ppm, pfm).
"""

import re
from pathlib import Path

import numpy as np

from ae_cls.dataset.files.raster import Raster, refuse_huge

_KINDS = (b"P2", b"P3", b"P5", b"P6", b"Pf", b"PF")
_WORD = rb"(?:\s|#[^\n]*\n)+([^\s#]+)"
_HEADER = re.compile(rb"(P[2356fF])" + 3 * _WORD + rb"(?:\s*#[^\n]*\n)?\s")
_LONGEST_HEADER = 65536  # bytes, comments included
_BYTE = 255


def read_netpbm(path: Path) -> Raster | None:
    """Numbers as the file has them; None: this is another format, or bytes.

    Raises:
        ValueError: the file is damaged or too large.
    """
    with path.open("rb") as file:
        header = _HEADER.match(file.read(_LONGEST_HEADER))
        if header is None:
            return None
        kind, width, height = header[1], int(header[2]), int(header[3])
        is_float = kind in (b"Pf", b"PF")
        most = 0 if is_float else int(header[4])
        if not is_float and most <= _BYTE:
            return None
        bands = 3 if kind in (b"P3", b"P6", b"PF") else 1
        refuse_huge(height, width, bands * (4 if is_float else 2))
        file.seek(header.end())
        shape = (height, width, bands)
        if is_float:
            return _floats(file.read(4 * height * width * bands), float(header[4]), shape)
        # A number is two bytes, or at most five digits and a few blanks.
        return _integers(kind, file.read(2**4 * height * width * bands), most, shape)


def starts_netpbm(head: bytes) -> bool:
    """Whether a file that begins like this may be one of them."""
    return head.startswith(_KINDS)


def _floats(content: bytes, scale: float, shape: tuple[int, int, int]) -> Raster:
    # The sign of the scale says the byte order, and rows go from the bottom to the top.
    kind = np.dtype("<f4" if scale < 0 else ">f4")
    _refuse_short(len(content), 4 * int(np.prod(shape)))
    samples = np.frombuffer(content, kind).reshape(shape)[::-1]
    return Raster(samples.astype(np.float32), "RGB" if shape[2] == 3 else "L", 32, "PFM")


def _integers(kind: bytes, content: bytes, most: int, shape: tuple[int, int, int]) -> Raster:
    count = int(np.prod(shape))
    if most > 65535:
        raise ValueError(f"its header declares numbers up to {most}; the format ends at 65535")
    if kind in (b"P2", b"P3"):
        words = re.sub(rb"#[^\n]*", b"", content).split(maxsplit=count)[:count]
        _refuse_short(len(words), count)
        samples = np.array(words, np.float64).astype(np.int64)
    else:
        _refuse_short(len(content), 2 * count)
        samples = np.frombuffer(content, ">u2", count)
    if samples.max() > most:
        raise ValueError(f"it holds {samples.max()}, and its header says {most} at most")
    spread = samples.astype(np.uint16).reshape(shape)
    return Raster(spread, "RGB" if shape[2] == 3 else "L", most.bit_length(), "PPM", most=most)


def _refuse_short(found: int, needed: int) -> None:
    if found < needed:
        raise ValueError(f"its data end after {found} of {needed}")
