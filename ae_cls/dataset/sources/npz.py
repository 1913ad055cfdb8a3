"""Arrays in an .npz file: one's own, or one of MedMNIST (Yang et al. 2023)."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal, final

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from pydantic import Field

from ae_cls.dataset.contract import (
    NO_LABEL,
    Dataset,
    DatasetConfig,
    ImageShape,
    ImageTable,
    Rows,
)
from ae_cls.dataset.decoded import LARGEST_IN_MEMORY, Decoded, decode_key, take_or_decode
from ae_cls.dataset.files.arrays import NamedArray
from ae_cls.dataset.files.label_array import (
    group_names,
    labels_of_parts,
    notes_of_missing,
    numbered,
)
from ae_cls.dataset.files.meaning import refuse_unclear
from ae_cls.dataset.files.no_label import NoLabelWords, cleared_arrays
from ae_cls.dataset.files.npz_file import ImageArray, read_npz
from ae_cls.dataset.files.published import data_folder
from ae_cls.dataset.table import PartName, with_labels
from ae_cls.errors import DataError
from ae_cls.settings import KeptPath
from ae_cls.store.files import linked_sha256
from ae_cls.terminal.progress import Progress

Arrays = Mapping[str, NamedArray]
Pictures = Mapping[str, ImageArray]

# What the arrays of each part begin with; MedMNIST says val. `npz_file` reads other usual names so.
_PREFIXES: dict[str, PartName] = {
    "": "train",
    "train_": "train",
    "val_": "valid",
    "valid_": "valid",
    "test_": "test",
}
_UNLABELLED = "unlabelled_images"
_NO_LABELS = {"class_names", "groups", "train_groups", "unlabelled_groups"}


@final
class NpzConfig(DatasetConfig):
    """Images and labels as NumPy arrays."""

    own_files: ClassVar = ("file", "pathmnist.npz")
    name: Literal["npz"]
    root: KeptPath | None = Field(
        description="the .npz file: images and labels, or train_images, train_labels, val_images, "
        "val_labels, test_images, test_labels, also as x_train, y_train, ...; if wanted "
        "unlabelled_images, class_names and groups or train_groups, ..."
    )
    class_names: tuple[str, ...] | None = Field(
        description="names in the order of the labels; null: those in the file, else the numbers"
    )
    no_label: NoLabelWords
    mirrored_is_same: bool = Field(description="whether a mirror image keeps its class")

    def load(self) -> Dataset:
        path = data_folder(self.root)
        arrays, pictures = read_npz(path)
        pictures, aside = _without_labels_aside(arrays, pictures)
        present = _present(path, arrays, pictures)
        sources = [pictures[f"{prefix}images"] for prefix in present.values()]
        sources += [pictures[_UNLABELLED]] if _UNLABELLED in pictures else []
        image_shape = _image_shape(sources)
        labels, names, notes = self._labels(arrays, pictures, present)
        images = _table(path, sources, image_shape)
        dataset = with_labels(
            "npz", images, labels, class_names=names, mirrored_is_same=self.mirrored_is_same
        )
        notes = (*aside, *notes, *notes_of_missing(labels))
        return replace(dataset, groups=_groups(arrays, pictures, present), notes=notes)

    def _labels(
        self, arrays: Arrays, pictures: Pictures, present: Mapping[PartName, str]
    ) -> tuple[dict[PartName, Int64[np.ndarray, " _"]], tuple[str, ...], tuple[str, ...]]:
        """The labels of each part, the names of the classes, and what is to be said of them."""
        known = self.class_names or _names_in(arrays)
        told, notes = cleared_arrays(
            {part: _label_array(arrays, pictures, prefix) for part, prefix in present.items()},
            self.no_label,
            known or (),
        )
        labels, names = labels_of_parts(told, known, len(pictures.get(_UNLABELLED, ())))
        for part in present.keys() - {"train"}:
            _refuse_no_label(told[part], labels[part])
        return labels, names, notes


def _without_labels_aside(arrays: Arrays, pictures: Pictures) -> tuple[Pictures, tuple[str, ...]]:
    """Where the file holds images alone, they are unlabelled; with a note."""
    if list(pictures) not in (["images"], ["train_images"]) or arrays.keys() - _NO_LABELS:
        return pictures, ()
    (images,) = pictures.values()
    note = f"{images.file.name} has no labels: only pretraining sees its {len(images)} images"
    return {_UNLABELLED: images}, (note,)


def _present(path: Path, arrays: Arrays, pictures: Pictures) -> dict[PartName, str]:
    """The prefix of the arrays of each part, in the order of the parts."""
    prefixes: list[tuple[PartName, str]] = [
        (part, prefix) for prefix, part in _PREFIXES.items() if f"{prefix}images" in pictures
    ]
    present = dict(prefixes)
    only_unlabelled = not present and _UNLABELLED in pictures
    if len(present) < len(prefixes) or not ("train" in present or only_unlabelled):
        raise DataError(
            "the file needs exactly one array of training images",
            where=str(path),
            why=f"it holds {', '.join([*pictures, *arrays]) or 'nothing'}",
            fix="np.savez(FILE, images=..., labels=...), or with train_images, train_labels, "
            "test_images, test_labels",
        )
    return present


def _label_array(arrays: Arrays, pictures: Pictures, prefix: str) -> NamedArray:
    images, name = pictures[f"{prefix}images"], f"{prefix}labels"
    if name not in arrays:
        raise images.wrong(
            f"{name} is missing; {_UNLABELLED} need none",
            f"save {name} as well, or these images as {_UNLABELLED}",
        )
    array = arrays[name]
    if array.values.ndim == 0 or len(images) != len(array.values):
        raise _wrong_count(array, len(images))
    return array


def _wrong_count(array: NamedArray, images: int) -> DataError:
    labels, fix = len(array.values) if array.values.ndim else 0, "one label an image"
    if 0 < labels < images and array.values.ndim == 1 and array.values.dtype.kind in "iu":
        more = f"np.concatenate([{array.name}, np.full({images - labels}, -1)])"
        fix += f"; if these are of the first {labels}: {array.name} = {more}, as -1 means no label"
    return array.wrong(f"{labels or 'no'} labels for {images} images", fix)


def _refuse_no_label(array: NamedArray, labels: Int64[np.ndarray, " _"]) -> None:
    if (labels == NO_LABEL).any():
        index = int((labels == NO_LABEL).argmax())
        fix = f"save images without a label as {_UNLABELLED}"
        raise array.wrong(f"index {index} has no label", fix)


def _groups(arrays: Arrays, pictures: Pictures, present: Mapping[PartName, str]) -> Rows | None:
    """The group of each row, if any part has groups."""
    prefixes = [*present.values(), *(["unlabelled_"] if _UNLABELLED in pictures else [])]
    counts = {prefix: len(pictures[f"{prefix}images"]) for prefix in prefixes}
    if not any(f"{prefix}groups" in arrays for prefix in prefixes):
        return None
    names: list[str] = []
    for prefix, count in counts.items():
        array = arrays.get(f"{prefix}groups")
        names += [""] * count if array is None else group_names(array, count)
    return numbered(names)


def _names_in(arrays: Arrays) -> tuple[str, ...] | None:
    if "class_names" not in arrays:
        return None
    names = arrays["class_names"]
    if names.values.ndim != 1 or names.values.dtype.kind != "U":
        raise names.wrong("it is not a list of words", 'class_names = np.array(["cat", "dog"])')
    return tuple(names.values.tolist())


def _image_shape(sources: list[ImageArray]) -> ImageShape:
    first = sources[0]
    for source in sources[1:]:
        if source.image_shape != first.image_shape:
            raise source.wrong(
                f"images of {source.image_shape}; those of {first.name} are {first.image_shape}",
                "bring all images to one shape",
            )
    return first.image_shape


def _table(path: Path, sources: list[ImageArray], shape: ImageShape) -> ImageTable:
    """All images, in memory if they are few; otherwise stored, once."""
    count = sum(map(len, sources))
    if count * math.prod(shape) <= LARGEST_IN_MEMORY:
        return torch.from_numpy(_filled((count, *shape), sources))
    key = decode_key("npz", count, shape, {"format": "npz 1", "file": linked_sha256(path)})
    return take_or_decode(key, shape, _decoded(sources)).images


def _filled(shape: tuple[int, ...], sources: list[ImageArray]) -> UInt8[np.ndarray, "n c h w"]:
    refuse_unclear(sources)
    table, filled = np.empty(shape, np.uint8), 0
    for source in sources:
        for block in source.blocks():
            table[filled : filled + len(block)] = block
            filled += len(block)
    return table


def _decoded(sources: list[ImageArray]) -> Iterator[Decoded]:
    refuse_unclear(sources)
    with Progress("storing", total=sum(map(len, sources)), unit="images") as progress:
        for source in sources:
            for block in source.blocks():
                yield Decoded(block)
                progress.advance(len(block))
