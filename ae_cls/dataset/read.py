"""A data set as runs read it: with its copies, which are looked for once and stored."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path

import numpy as np

from ae_cls.dataset.contract import Dataset, DatasetConfig, ImageTable
from ae_cls.dataset.copies import Copies, of_two_labels
from ae_cls.dataset.files.published import data_folder
from ae_cls.dataset.find_copies import MOST_COMPARED, find_copies
from ae_cls.dataset.fingerprint import images_sha256
from ae_cls.errors import DataError, StorageError, some
from ae_cls.store.arrays import read_arrays
from ae_cls.store.cleaning import tidy
from ae_cls.store.entries import opened
from ae_cls.store.files import publish
from ae_cls.store.key import Key
from ae_cls.store.manifest import check_files
from ae_cls.store.places import shared_store
from ae_cls.store.received import not_ours

STAGE, FILE = "copies", "copies.npz"
MOST_STORED = 10**9
"""Bytes of what is known of copies, beyond which the longest unused go."""

_FORMAT = 1  # raise it when the same images would give other copies
_HELD = ContextVar[dict[str, Dataset] | None]("_HELD", default=None)


@contextmanager
def held() -> Iterator[None]:
    """Within the body, the data set that was read last stays in memory and is not read again.

    For a process that carries out many runs on the same data.
    """
    before = _HELD.set({})
    try:
        yield
    finally:
        _HELD.reset(before)


def read(config: DatasetConfig) -> Dataset:
    """All images and labels, and which of the images are copies of each other.

    Raises:
        DataError: files are missing or unreadable, or equal images have different labels where
            the config does not allow it.
    """
    datasets = _HELD.get()
    if datasets is None:
        return _read(config)
    word = config.model_dump_json()
    if word not in datasets:
        datasets.clear()
        datasets[word] = _read(config)
    return datasets[word]


def _read(config: DatasetConfig) -> Dataset:
    dataset = with_copies(config.load())
    found = refuse_contradictions(config, dataset)
    notes = [f"one picture under two labels: {text}" for text in some(found, 3)]
    return replace(dataset, notes=(*dataset.notes, *notes))


def with_copies(dataset: Dataset) -> Dataset:
    """The same, with the hash of its images, and with its copies."""
    digest = images_sha256(dataset.images)
    copies = _kept_or_found(dataset, digest)
    return replace(dataset, images_sha256=digest, copies=copies)


def refuse_contradictions(config: DatasetConfig, dataset: Dataset) -> list[str]:
    """Equal images with different labels, named; none where the config does not allow any.

    Raises:
        DataError: there are some, and the config does not allow it.
    """
    found = _contradictions(dataset)
    if found and config.refuses_contradictions:
        raise DataError(
            f"{len(found)} picture{'s' * (len(found) > 1)} under two labels",
            where=f"dataset.root={data_folder(config.root)}",
            why="\n".join(some(found)),
            fix="move the wrong one of each out of the folder, or keep all: dataset.on_bad=skip",
        )
    return found


def _kept_or_found(dataset: Dataset, digest: str) -> Copies:
    about = {"dataset": dataset.name, "images": f"{len(dataset.images)} images"}
    key = Key(STAGE, {"format": _FORMAT, "most": MOST_COMPARED, "images": digest}, about)
    try:
        with opened(shared_store()) as store:
            entry = store.take_or_make(
                key,
                lambda folder: _write(folder, dataset.images),
                lambda folder: (check_files(folder), _loaded(folder, len(dataset.images))),
            )
            if not entry.was_kept:
                tidy(store.root, STAGE, MOST_STORED)
            return _loaded(entry.folder, len(dataset.images))
    except StorageError:
        return find_copies(dataset.images)  # a run that must keep something will say so


def _write(folder: Path, images: ImageTable) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **vars(find_copies(images)))
    publish(folder / FILE, buffer.getvalue())


def _loaded(folder: Path, count: int) -> Copies:
    arrays = read_arrays(folder / FILE, "pixels", "alike", "compared")
    kinds = {name: (array.dtype.name, array.shape) for name, array in arrays.items()}
    rows = (count,)
    if kinds != {"pixels": ("uint64", rows), "alike": ("int64", rows), "compared": ("bool", ())}:
        raise not_ours(str(folder / FILE), f"it holds {kinds}")
    return Copies(arrays["pixels"], arrays["alike"], bool(arrays["compared"]))


def _contradictions(dataset: Dataset) -> list[str]:
    """Equal images with different labels, by their paths or rows."""
    assert dataset.copies is not None
    sets = of_two_labels(dataset.copies.pixels, dataset.labels.numpy())
    return [" and ".join(some([_named(dataset, int(row)) for row in rows], 3)) for rows in sets]


def _named(dataset: Dataset, row: int) -> str:
    label = "" if dataset.paths else f" ({dataset.class_names[int(dataset.labels[row])]})"
    return dataset.name_of(row) + label
