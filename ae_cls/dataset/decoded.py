"""Decoded images as entries of the shared store: made once, verified at each use, bounded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, final

import numpy as np
from jaxtyping import UInt8
from pydantic import RootModel, Strict

from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.facts import FileFacts, ImageFacts, as_columns, load_facts
from ae_cls.dataset.stored import StoredImages
from ae_cls.errors import StorageError
from ae_cls.store.arrays import write_array
from ae_cls.store.cleaning import tidy
from ae_cls.store.entries import opened
from ae_cls.store.files import write_json
from ae_cls.store.key import Json, Key
from ae_cls.store.manifest import check_files, sha256_in
from ae_cls.store.places import shared_store
from ae_cls.store.received import MOST_PER_CLASS, not_ours, read_typed

LARGEST_IN_MEMORY = 2**28
"""Bytes of all images, up to which they are held in memory."""
MOST_STORED = 50 * 10**9
"""Bytes of decoded images, beyond which the longest unused go: room for a set as large as ImageNet
at 96x96x3 (35 GB) and for several small ones."""

STAGE, IMAGES, FAILURES, FACTS = "decode", "images.npy", "failures.json", "facts.npz"


@final
@dataclass(frozen=True)
class Decoded:
    """Some images, in order, and why there are none of others.

    Attributes:
        images: those that could be decoded.
        failures: reasons, by place among all that were to be decoded.
        facts: of the images, if they were files of their own.
    """

    images: UInt8[np.ndarray, "_ c h w"]
    failures: Mapping[int, str] = field(default_factory=dict)
    facts: Sequence[FileFacts] = ()


@final
@dataclass(frozen=True)
class DecodedImages:
    """What the store holds of a data set.

    Attributes:
        images: in memory, or read from the disk as they are needed.
        failures: why there is no image, by place among all that were to be decoded.
        facts: one row an image; None where images were no files of their own.
    """

    images: StoredImages
    failures: Mapping[int, str]
    facts: ImageFacts | None


def decode_key(
    dataset: str, count: int, image_shape: ImageShape, inputs: Mapping[str, Json]
) -> Key:
    """The key of images that follow from these inputs, such as the hashes of files.

    The data set, the number of images and their shape are for people.
    """
    channels, height, width = image_shape
    size = f"{height}x{width}x{channels}"
    return Key(STAGE, inputs, {"dataset": dataset, "images": f"{count} images", "size": size})


def take_or_decode(key: Key, image_shape: ImageShape, decoded: Iterable[Decoded]) -> DecodedImages:
    """The images stored under `key`; those of `decoded`, which is only read when there are none.

    Raises:
        StorageError: the store cannot be written.
    """
    with _storing(), opened(shared_store()) as store:
        entry = store.take_or_make(
            key,
            lambda folder: _write(folder, image_shape, decoded),
            lambda folder: (check_files(folder), _opened(folder, image_shape)),
        )
        if not entry.was_kept:
            tidy(store.root, STAGE, MOST_STORED)
        # Once it is open the file may be deleted: the store need not hold the entry any longer.
        found = _opened(entry.folder, image_shape)
        if found.images.shape.numel() <= LARGEST_IN_MEMORY:
            found.images.hold()
        return found


def _write(folder: Path, image_shape: ImageShape, decoded: Iterable[Decoded]) -> None:
    failures: dict[int, str] = {}
    facts: list[FileFacts] = []

    def images() -> Iterator[UInt8[np.ndarray, "_ c h w"]]:
        yield np.empty((0, *image_shape), np.uint8)
        for batch in decoded:
            failures.update(batch.failures)
            facts.extend(batch.facts)
            yield batch.images

    write_array(folder / IMAGES, images())
    write_json(folder / FAILURES, failures)
    if facts:
        as_columns(facts).save(folder / FACTS)


def _opened(folder: Path, image_shape: ImageShape) -> DecodedImages:
    # The hash was compared with the file's when the entry was taken.
    images = StoredImages(folder / IMAGES, sha256=sha256_in(folder, IMAGES))
    if images.shape[1:] != image_shape:
        raise not_ours(str(folder / IMAGES), f"its images are of {tuple(images.shape[1:])}")
    failures = read_typed(folder / FAILURES, _Failures, most=MOST_PER_CLASS).root
    facts = load_facts(folder / FACTS) if (folder / FACTS).exists() else None
    return DecodedImages(images, failures, facts)


@final
class _Failures(RootModel[dict[Annotated[int, Strict(False)], str]]):
    """failures.json: reasons, by place among all that were to be decoded."""


@contextmanager
def _storing() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise StorageError(
            "decoded images cannot be stored", where=error.where, why=error.why,
            fix="AE_CLS_CACHE=FOLDER, with room in it",
        ) from error  # fmt: skip
