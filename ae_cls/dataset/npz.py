"""Arrays in an .npz file: one's own, or one of MedMNIST (Yang et al. 2023)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, final

import numpy as np
from pydantic import Field, model_validator

from ae_cls.dataset.arrays import NamedArray
from ae_cls.dataset.contract import NO_LABEL, Dataset, DatasetConfig
from ae_cls.dataset.places import data_folder
from ae_cls.dataset.table import Part, PartName, one_table, unlabelled_part
from ae_cls.errors import DataError

Arrays = Mapping[str, NamedArray]

# What the arrays of each part begin with; MedMNIST says val.
_PREFIXES: dict[str, PartName] = {
    "": "train",
    "train_": "train",
    "val_": "valid",
    "valid_": "valid",
    "test_": "test",
}
_HELD_OUT = ("val_", "valid_", "test_")


@final
class NpzConfig(DatasetConfig):
    """Images and labels as NumPy arrays."""

    name: Literal["npz"]
    root: str | None = Field(
        description="the .npz file: images and labels, or train_images, train_labels, val_images, "
        "val_labels, test_images, test_labels; if wanted unlabelled_images and class_names"
    )
    class_names: tuple[str, ...] | None = Field(
        description="names in the order of the labels; null: those in the file, else the numbers"
    )
    mirrored_is_same: bool = Field(description="whether a mirror image keeps its class")

    @model_validator(mode="after")
    def _root_is_given(self) -> "NpzConfig":
        if not self.root:
            raise ValueError("root: say which file, for example dataset.root=pathmnist.npz")
        if self.download:
            raise ValueError("download: nobody publishes your file; leave it false")
        return self

    def load(self) -> Dataset:
        path = data_folder(self.root)
        arrays = _read(path)
        present = _present(path, arrays)
        names = self.class_names or _names_in(arrays)
        class_count = len(names) if names else None
        parts: dict[PartName, Part] = {
            part: _part(arrays, prefix, class_count) for part, prefix in present.items()
        }
        return one_table(
            "npz",
            _same_size(
                path, parts | _unlabelled(arrays, parts["train"]) | _labelled(parts["train"])
            ),
            class_names=names or _numbered(parts),
            mirrored_is_same=self.mirrored_is_same,
        )


def _read(path: Path) -> Arrays:
    name = "the directory"
    arrays: dict[str, NamedArray] = {}
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            for name in file.files:
                arrays[name] = NamedArray(path, name, np.asarray(file[name]))
    except Exception as error:
        # Fed with strangers' bytes, zipfile and NumPy raise almost anything.
        raise DataError(
            f"{name} of {path.name} cannot be read",
            where=f"dataset.root={path}",
            why=str(error) or type(error).__name__,
            fix="an .npz file of plain arrays; arrays of Python objects are never loaded",
        ) from error
    return arrays


def _present(path: Path, arrays: Arrays) -> dict[PartName, str]:
    found: list[tuple[PartName, str]] = [
        (part, prefix) for prefix, part in _PREFIXES.items() if f"{prefix}images" in arrays
    ]
    present = dict(found)
    if len(present) < len(found) or "train" not in present:
        raise DataError(
            "the file has not one array of training images",
            where=str(path),
            why=f"it holds {', '.join(arrays) or 'nothing'}",
            fix="save images and labels, or train_images, train_labels, test_images, test_labels",
        )
    return present


def _part(arrays: Arrays, prefix: str, class_count: int | None) -> Part:
    images = arrays[f"{prefix}images"]
    labels = arrays.get(f"{prefix}labels")
    if labels is None:
        raise images.wrong(f"{prefix}labels is missing; unlabelled_images need none")
    part = Part(images.images(), labels.labels(class_count))
    if len(part.images) != len(part.labels):
        raise labels.wrong(f"{len(part.labels)} labels for {len(part.images)} images")
    if prefix in _HELD_OUT and (part.labels == NO_LABEL).any():
        raise labels.wrong(f"index {int((part.labels == NO_LABEL).argmax())} has no label")
    return part


def _labelled(train: Part) -> dict[PartName, Part]:
    known = train.labels != NO_LABEL
    return {"train": train if known.all() else Part(train.images[known], train.labels[known])}


def _unlabelled(arrays: Arrays, train: Part) -> dict[PartName, Part]:
    """Training images whose label is -1, and those of `unlabelled_images`."""
    images = [train.images[train.labels == NO_LABEL]]
    if "unlabelled_images" in arrays:
        images.append(arrays["unlabelled_images"].images())
    if len({batch.shape[1:] for batch in images}) > 1:
        raise arrays["unlabelled_images"].wrong(
            f"images of {images[1].shape[1:]}, not {images[0].shape[1:]}"
        )
    return {"unlabelled": unlabelled_part(np.concatenate(images))}


def _same_size(path: Path, parts: dict[PartName, Part]) -> dict[PartName, Part]:
    shapes = {part: images.images.shape[1:] for part, images in parts.items()}
    if len(set(shapes.values())) > 1:
        raise DataError("the parts differ in image size", where=str(path), why=str(shapes))
    return parts


def _names_in(arrays: Arrays) -> tuple[str, ...] | None:
    if "class_names" not in arrays:
        return None
    names = arrays["class_names"]
    if names.values.ndim != 1 or names.values.dtype.kind != "U":
        raise names.wrong("it is no list of words")
    return tuple(names.values.tolist())


def _numbered(parts: Mapping[PartName, Part]) -> tuple[str, ...]:
    # From training alone: a class that only the test part has would otherwise seem to be learnable.
    return tuple(map(str, range(int(parts["train"].labels.max()) + 1)))
