"""Many image files as one table, decoded in parallel and kept in the cache."""

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from signal import SIG_IGN, SIGINT, signal
from threading import Thread
from typing import final

import PIL
from tqdm import tqdm

from ae_cls.dataset import cache
from ae_cls.dataset.cache import CachedImages, Decoded
from ae_cls.dataset.files.decode import FORMAT, Fit, decode, quiet
from ae_cls.errors import DataError, TrainingError

_BLOCK = 1024  # images in flight: bounds the memory of those that wait to be written
_CHUNK = 32  # images a worker takes at once
# Threads hand the interpreter's lock to and fro on small images: 20 000 PNGs of 28x28 took longer
# in two threads than in one, and in two processes a third of that. Photographs of 500x400 decode
# nearly as fast in threads, and processes take two seconds to start.
_FEWEST_FOR_PROCESSES = 4096  # files


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
        TrainingError: a process that decodes was killed.
    """
    with quiet():
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            digests = list(threads.map(_digest, files))
        # Another Pillow may decode to other bytes.
        told = [FORMAT, PIL.__version__, asdict(frame), digests]
        key = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        shape = (frame.channels, frame.height, frame.width)
        return cache.open_or_make(key, shape, _decoded(files, digests, frame))


def _decoded(files: list[Path], digests: list[str], frame: Frame) -> Iterator[Decoded]:
    # disable=None: no bar where stderr is no terminal.
    with (
        _refusing_lost_workers(),
        _workers(len(files)) as pool,
        tqdm(total=len(files), desc="decoding", unit="image", disable=None) as bar,
    ):
        for start in range(0, len(files), _BLOCK):
            chunks = [
                slice(first, min(first + _CHUNK, start + _BLOCK))
                for first in range(start, min(start + _BLOCK, len(files)), _CHUNK)
            ]
            told = ([files[chunk] for chunk in chunks], [digests[chunk] for chunk in chunks])
            for rows in pool.map(partial(_decode_some, frame), *told):
                bar.update(len(rows))
                yield from rows


def _workers(file_count: int) -> Executor:
    if file_count < _FEWEST_FOR_PROCESSES:
        return ThreadPoolExecutor(os.cpu_count())
    # Not fork: this process has threads, whose locks a forked child would wait for.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return ProcessPoolExecutor(os.cpu_count(), context, initializer=_begin_work)


def _begin_work() -> None:
    # Ctrl-C reaches the whole process group, and one traceback is enough.
    signal(SIGINT, SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Else workers of a killed process would wait for work for ever."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _refusing_lost_workers() -> Iterator[None]:
    try:
        yield
    except BrokenExecutor as error:
        raise TrainingError(
            "a process that decodes images was lost",
            why="it was killed, for lack of memory perhaps, or could not start",
            fix="free some memory and start again",
        ) from error


def _decode_some(frame: Frame, files: list[Path], digests: list[str]) -> list[Decoded]:
    return [_decode(frame, file, digest) for file, digest in zip(files, digests, strict=True)]


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
