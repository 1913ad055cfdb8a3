"""TIFF files written tag by tag (TIFF 6.0, BigTIFF), so that no library decides what they hold."""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

LZW, DEFLATE, PACKBITS = 5, 8, 32773


def write_tiff(
    path: Path,
    segments: Sequence[bytes],
    tags: Mapping[int, int | Sequence[int]],
    *,
    order: str = "<",
    big: bool = False,
) -> Path:
    """One picture of these strips (or tiles, if the tags say so), one behind the other."""
    offset, count_of, size = ("Q", "Q", 8) if big else ("I", "H", 4)
    places = (324, 325) if 322 in tags else (273, 279)
    head = 16 if big else 8
    starts = [head + sum(map(len, segments[:place])) for place in range(len(segments))]
    lists = {**tags, places[0]: starts, places[1]: [len(segment) for segment in segments]}
    body = b"".join(segments)
    body += b"\0" * (len(body) % 2)
    table_size = struct.calcsize(f"{order}{count_of}") + len(lists) * (20 if big else 12) + size
    entries, behind = b"", b""
    for tag, given in sorted(lists.items()):
        values = [given] if isinstance(given, int) else list(given)
        content = struct.pack(f"{order}{len(values)}I", *values)
        if len(content) > size:
            place = head + len(body) + table_size + len(behind)
            behind += content
            content = struct.pack(order + offset, place)
        entries += struct.pack(f"{order}HH{offset}", tag, 4, len(values)) + content.ljust(
            size, b"\0"
        )
    table = struct.pack(order + count_of, len(lists)) + entries + struct.pack(order + offset, 0)
    start = head + len(body)
    mark = b"II" if order == "<" else b"MM"
    header = (
        struct.pack(f"{order}HHHQ", 43, 8, 0, start)
        if big
        else struct.pack(f"{order}HI", 42, start)
    )
    path.write_bytes(mark + header + body + table + behind)
    return path


def packed(values: np.ndarray, bits: int, order: str = "<") -> bytes:
    """Rows of numbers, (rows, numbers), as a TIFF holds them: each row begins with a new byte."""
    if bits in (8, 16, 32, 64):
        return values.astype(values.dtype.newbyteorder(order)).tobytes()
    places = np.arange(bits - 1, -1, -1)
    single = (values[:, :, None].astype(np.int64) >> places) & 1
    return np.packbits(single.reshape(len(values), -1).astype(np.uint8), axis=1).tobytes()


def compressed(content: bytes, compression: int) -> bytes:
    """As libtiff compresses it; deflate as zlib does."""
    if compression == 1:
        return content
    if compression == DEFLATE:
        return zlib.compress(content)
    word = {LZW: "tiff_lzw", PACKBITS: "packbits"}[compression]
    file = io.BytesIO()
    grey = Image.frombytes("L", (len(content), 1), content)
    grey.save(file, "TIFF", compression=word)
    with Image.open(file) as image:
        start, length = image.tag_v2[273][0], image.tag_v2[279][0]
    return file.getvalue()[start : start + length]
