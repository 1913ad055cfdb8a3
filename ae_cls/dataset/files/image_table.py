"""Many image files as one table, decoded in parallel, once."""

import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from signal import SIG_DFL, SIG_IGN, SIG_UNBLOCK, SIGINT, SIGTERM, pthread_sigmask, signal

import numpy as np
import PIL

from ae_cls.dataset.decoded import Decoded, DecodedImages, decode_key, take_or_decode
from ae_cls.dataset.decoding import Frame
from ae_cls.dataset.facts import FileFacts
from ae_cls.dataset.files.decode import FORMAT, picture_of, quiet
from ae_cls.errors import DataError, StorageError, TrainingError
from ae_cls.interrupt import end_with_parent
from ae_cls.store.files import linked_sha256, sha256
from ae_cls.terminal.progress import Progress

_BLOCK = 1024  # images in flight: bounds the memory of those that wait to be written
_CHUNK = 32  # images a worker takes at once
# Threads pass the interpreter's lock to and fro on small images: 20 000 PNGs of 28x28 took longer
# in two threads than in one, and in two processes a third of that. Photographs of 500x400 decode
# nearly as fast in threads, and processes take two seconds to start.
_FEWEST_FOR_PROCESSES = 4096  # files


def decode_all(files: list[Path], frame: Frame) -> DecodedImages:
    """One image a file, in their order, and why some have none; decoded once and stored.

    They are found again by the bytes of all files, never by their dates or sizes.

    Raises:
        DataError: a file changed while it was read.
        StorageError: the images cannot be stored.
        TrainingError: a process that decodes was killed.
    """
    with quiet():
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            digests = list(threads.map(_digest, files))
        inputs = {
            "format": f"files {FORMAT}",
            "pillow": PIL.__version__,  # another one may decode to other bytes
            "frame": asdict(frame),
            "files": sha256("\n".join(digests).encode()),
        }
        key = decode_key("folder", len(files), frame.image_shape, inputs)
        return take_or_decode(key, frame.image_shape, _decoded(files, digests, frame))


def _decoded(files: list[Path], digests: list[str], frame: Frame) -> Iterator[Decoded]:
    with (
        _refusing_lost_workers(),
        _workers(len(files)) as pool,
        Progress("decoding", total=len(files), unit="images") as progress,
    ):
        for start in range(0, len(files), _BLOCK):
            firsts = range(start, min(start + _BLOCK, len(files)), _CHUNK)
            chunks = [slice(first, min(first + _CHUNK, start + _BLOCK)) for first in firsts]
            decoding = pool.map(
                partial(decode_some, frame),
                firsts,
                [files[chunk] for chunk in chunks],
                [digests[chunk] for chunk in chunks],
            )
            for decoded in decoding:
                progress.advance(len(decoded.images) + len(decoded.failures))
                yield decoded


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
    # By this the others are ended where one was lost; they may come from a process that blocks it.
    signal(SIGTERM, SIG_DFL)
    pthread_sigmask(SIG_UNBLOCK, [SIGTERM])
    end_with_parent()


@contextmanager
def _refusing_lost_workers() -> Iterator[None]:
    try:
        yield
    except BrokenExecutor as error:
        raise TrainingError(
            "a process that decodes images was lost",
            why="it was killed, perhaps for lack of memory, or could not start",
            fix="free some memory and start again",
        ) from error


def decode_some(frame: Frame, first: int, files: list[Path], digests: list[str]) -> Decoded:
    """The images of a few files, and why some have none, by place counted from `first`.

    Raises:
        DataError: a file is not the one that was hashed: its `digests` are SHA-256 in hexadecimal.
    """
    images, failures = [np.empty((0, *frame.image_shape), np.uint8)], dict[int, str]()
    facts: list[FileFacts] = []
    for place, (path, digest) in enumerate(zip(files, digests, strict=True), first):
        try:
            picture = picture_of(path, frame)
            images.append(picture.image[None])
            facts.append(picture.facts)
        except DataError as error:
            failures[place] = error.why
        if _digest(path) != digest:
            raise DataError("a file changed while it was read", where=str(path), fix="start again")
    return Decoded(np.concatenate(images), failures, facts)


def _digest(path: Path) -> str:
    try:
        return linked_sha256(path)
    except (OSError, StorageError) as error:
        return f"unreadable: {error}"  # decoding says so as well, and names the file
