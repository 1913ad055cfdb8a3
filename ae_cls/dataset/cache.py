"""Decoded images on disk: made once, verified each time they are used.

An entry is `<key>.npy` and, written last, `<key>.json` with its size, the SHA-256 of its images and
what failed. The key is a hash of all that the images follow from, so two processes that make an
entry make the same bytes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, final

import numpy as np
from jaxtyping import UInt8
from numpy.lib import format as npy

from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.fingerprint import images_sha256
from ae_cls.dataset.stored import StoredImages
from ae_cls.errors import StorageError
from ae_cls.store.files import published
from ae_cls.store.places import cache_folder

LARGEST_IN_MEMORY = 2**28  # bytes of all images


@final
@dataclass(frozen=True)
class Decoded:
    """One image, or why there is none.

    Attributes:
        image: None where decoding failed.
        failure: empty where it did not.
    """

    image: UInt8[np.ndarray, "c h w"] | None
    failure: str


@final
@dataclass(frozen=True)
class CachedImages:
    """What was kept.

    Attributes:
        images: read from the disk as they are needed.
        failures: why there is no image, by place in the sequence that was decoded.
    """

    images: StoredImages
    failures: Mapping[int, str]


def open_or_make(key: str, image_shape: ImageShape, decoded: Iterable[Decoded]) -> CachedImages:
    """The images kept under `key`; those of `decoded`, which is only read when there are none.

    Raises:
        StorageError: the cache cannot be written.
    """
    folder = cache_folder() / "images"
    found = _verified(folder, key)
    if found is None:
        with _storing(folder):
            _make(folder, key, image_shape, decoded)
        found = _verified(folder, key)
    if found is None:
        raise _unwritable(folder, "what was written cannot be read back unchanged")
    return found


def _verified(folder: Path, key: str) -> CachedImages | None:
    try:
        manifest = json.loads((folder / f"{key}.json").read_text())
        path = folder / f"{key}.npy"
        if path.stat().st_size != manifest["bytes"]:
            return None
        images = StoredImages(path)
        if images.shape.numel() <= LARGEST_IN_MEMORY:
            images.hold()
        if images_sha256(images) != manifest["images_sha256"]:
            return None
        failures = {int(place): why for place, why in manifest["failures"].items()}
        return CachedImages(images, failures)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # missing or damaged: it is made again from the originals


def _make(folder: Path, key: str, image_shape: ImageShape, decoded: Iterable[Decoded]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with published(folder / f"{key}.npy") as file:
        failures = _write_images(file, image_shape, decoded)
    path = folder / f"{key}.npy"
    manifest = {
        "bytes": path.stat().st_size,
        "images_sha256": images_sha256(StoredImages(path)),
        "failures": failures,
    }
    with published(folder / f"{key}.json") as file:
        file.write(json.dumps(manifest).encode())


def _write_images(
    file: IO[bytes], image_shape: ImageShape, decoded: Iterable[Decoded]
) -> dict[int, str]:
    failures: dict[int, str] = {}
    count = 0
    _write_header(file, (0, *image_shape))
    for place, row in enumerate(decoded):
        if row.image is None:
            failures[place] = row.failure
        else:
            file.write(row.image.tobytes())
            count += 1
    file.seek(0)
    # NumPy pads the header so that the first axis can grow in place.
    _write_header(file, (count, *image_shape))
    return failures


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


@contextmanager
def _storing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unwritable(folder, str(error)) from error


def _unwritable(folder: Path, why: str) -> StorageError:
    return StorageError(
        "decoded images cannot be kept",
        where=str(folder),
        why=why,
        fix="AE_CLS_CACHE=FOLDER, with room in it",
    )
