"""Many image files as one table, decoded in parallel and kept in the cache."""

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import final

import PIL
from tqdm import tqdm

from ae_cls.dataset import cache
from ae_cls.dataset.cache import CachedImages, Decoded
from ae_cls.dataset.decode import FORMAT, Fit, decode, quiet
from ae_cls.errors import DataError

_BLOCK = 1024  # images in flight: bounds the memory of those that wait to be written


@final
@dataclass(frozen=True)
class Frame:
    """What every image is brought to; the arguments of `decode`."""

    channels: int
    height: int
    width: int
    fit: Fit


def decode_all(files: list[Path], frame: Frame) -> CachedImages:
    """One image a file, in their order, and why some have none; from the cache where it has them.

    The key is a hash of every file's bytes, never of its date or size.

    Raises:
        DataError: a file changed while it was read.
        StorageError: the cache cannot be written.
    """
    with quiet(), ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = list(pool.map(_digest, files))
        # Another Pillow may decode to other bytes.
        told = [FORMAT, PIL.__version__, asdict(frame), digests]
        key = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        shape = (frame.channels, frame.height, frame.width)
        return cache.open_or_make(key, shape, _decoded(pool, files, digests, frame))


def _decoded(
    pool: ThreadPoolExecutor, files: list[Path], digests: list[str], frame: Frame
) -> Iterator[Decoded]:
    decode_one = partial(_decode, frame)
    # disable=None: no bar where stderr is no terminal.
    with tqdm(total=len(files), desc="decoding", unit="image", disable=None) as bar:
        for start in range(0, len(files), _BLOCK):
            block = slice(start, start + _BLOCK)
            for row in pool.map(decode_one, files[block], digests[block]):
                bar.update()
                yield row


def _decode(frame: Frame, path: Path, digest: str) -> Decoded:
    try:
        image, failure = decode(path, **asdict(frame)), ""
    except DataError as error:
        image, failure = None, error.why
    if _digest(path) != digest:
        raise DataError("a file changed while it was read", where=str(path), fix="start again")
    return Decoded(image, failure)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"  # decoding says so as well, and names the file
