"""The parts of a data set, joined into one table."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from ae_cls.dataset.contract import NO_LABEL, Dataset, ImageTable, Rows
from ae_cls.errors import DataError

PartName = Literal["train", "valid", "test", "unlabelled"]
PART_NAMES: tuple[PartName, ...] = ("train", "valid", "test", "unlabelled")
"""In the order of their rows in the table."""
LABELLED_PARTS: tuple[PartName, ...] = PART_NAMES[:3]
"""Those whose images have labels."""


@final
@dataclass(frozen=True)
class PartArrays:
    """Images and labels of one part."""

    images: UInt8[np.ndarray, "_ c h w"]
    labels: Int64[np.ndarray, " _"]


def one_table(
    name: str,
    parts: Mapping[PartName, PartArrays],
    *,
    class_names: tuple[str, ...],
    mirrored_is_same: bool,
) -> Dataset:
    """The data set that holds these parts: training rows first, unlabelled rows last.

    Raises:
        DataError: a part does not have one label for each image, or a label is not a class.
    """
    for part in parts:
        _refuse_wrong_labels(f"{name}: {part}", parts[part], len(class_names))
    images = np.concatenate([parts[part].images for part in PART_NAMES if part in parts])
    return with_labels(
        name,
        torch.from_numpy(images),
        {key: part.labels for key, part in parts.items()},
        class_names=class_names,
        mirrored_is_same=mirrored_is_same,
    )


def with_labels(
    name: str,
    images: ImageTable,
    labels: Mapping[PartName, Int64[np.ndarray, " _"]],
    *,
    class_names: tuple[str, ...],
    mirrored_is_same: bool,
) -> Dataset:
    """The data set of a table in which one part follows the other, with a label for each image.

    An image without a label is for pretraining alone, whatever its part.

    Raises:
        DataError: two classes have one name.
    """
    _refuse_equal_names(name, class_names)
    rows = consecutive_rows({part: len(column) for part, column in labels.items()})
    column = np.concatenate([labels[part] for part in PART_NAMES if part in labels])
    known = {part: rows[part][column[rows[part]] != NO_LABEL] for part in LABELLED_PARTS}
    return Dataset(
        name=name,
        images=images,
        labels=torch.from_numpy(column),
        class_names=class_names,
        train=known["train"],
        valid=known["valid"],
        test=known["test"],
        unlabelled=np.flatnonzero(column == NO_LABEL),
        paths=(),
        mirrored_is_same=mirrored_is_same,
    )


def _refuse_equal_names(name: str, class_names: tuple[str, ...]) -> None:
    """In tables and answers they could not be told apart."""
    twice = [one for one, count in Counter(class_names).items() if count > 1]
    if twice:
        raise DataError(
            "two classes have one name", where=f"dataset={name}: class_names",
            why=f"{twice[0]!r} stands {class_names.count(twice[0])} times",
            fix="one name for each class, in the order of the labels",
        )  # fmt: skip


def _refuse_wrong_labels(where: str, part: PartArrays, class_count: int) -> None:
    if len(part.images) != len(part.labels):
        why = f"{len(part.images)} images and {len(part.labels)} labels"
        raise DataError("images and labels do not belong together", where=where, why=why)
    outside = np.flatnonzero((part.labels < NO_LABEL) | (part.labels >= class_count))
    if outside.size:
        row = int(outside[0])
        why = f"index {row} has label {part.labels[row]}; the labels are 0 to {class_count - 1}"
        raise DataError("a label is out of range", where=where, why=why)


def consecutive_rows(counts: Mapping[PartName, int]) -> dict[PartName, Rows]:
    """The rows of each part if one follows the other; none for a part without a count."""
    rows: dict[PartName, Rows] = {}
    start = 0
    for part in PART_NAMES:
        stop = start + counts.get(part, 0)
        rows[part] = np.arange(start, stop, dtype=np.int64)
        start = stop
    return rows
