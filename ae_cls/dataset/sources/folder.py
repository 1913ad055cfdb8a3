"""A folder of image files, decoded once."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal, final

import numpy as np
from jaxtyping import Int64
from pydantic import Field, field_validator, model_validator

from ae_cls.dataset.contract import NO_LABEL, Dataset, Rows
from ae_cls.dataset.files.columns import ColumnNames
from ae_cls.dataset.files.decode import SUFFIXES
from ae_cls.dataset.files.image_file import ImageFile, ImageFiles
from ae_cls.dataset.files.image_table import decode_all
from ae_cls.dataset.files.label_array import numbered
from ae_cls.dataset.files.label_pattern import files_by_pattern, with_groups
from ae_cls.dataset.files.label_table import LabelTable, files_by_table
from ae_cls.dataset.files.layout import files_by_folder
from ae_cls.dataset.files.listing import Listing, by_suffix, list_images
from ae_cls.dataset.files.no_label import NoLabelWords
from ae_cls.dataset.files.published import data_folder
from ae_cls.dataset.files.scan import Links
from ae_cls.dataset.files.spelling import Spellings, settled
from ae_cls.dataset.image_files import ImageFilesConfig
from ae_cls.dataset.noticed import notes_of
from ae_cls.dataset.table import PART_NAMES, PartName, with_labels
from ae_cls.errors import DataError, some, typed
from ae_cls.settings import PathText

_OF_TABLES = (
    "path_column", "label_column", "split_column", "group_column", "image_folder", "image_suffix",
)  # fmt: skip


@final
class FolderConfig(ImageFilesConfig):
    """Image files of one's own."""

    own_files: ClassVar = ("folder", "photos")
    name: Literal["folder"]
    links: Links = Field(
        description="links to folders, and to files elsewhere: end the run, or follow them"
    )
    labels_csv: PathText | None = Field(
        description="table with the columns path, label and, if wanted, split and group; below root"
    )
    path_column: str | None = Field(
        description="of labels_csv; null: path, file, image_id or another usual name"
    )
    label_column: str | tuple[str, ...] | None = Field(
        description="of labels_csv; a list: one column a class, 1 in that of the class; null: "
        "label, class, target or another usual name, else all columns of 0 and 1"
    )
    split_column: str | None = Field(
        description="of labels_csv, with train, valid and test; null: split or another usual name"
    )
    group_column: str | None = Field(
        description="of labels_csv; null: group, patient_id, subject or another usual name"
    )
    image_folder: PathText | None = Field(
        description="folder below root that the paths in labels_csv are relative to; null: root, "
        "or the only folder that has all of them"
    )
    image_suffix: str | None = Field(
        description="such as .png, put after the paths in labels_csv; null: found where missing"
    )
    label_pattern: str | None = Field(
        description="regular expression over relative paths, in place of class folders: the group "
        "named label, else the first one, is the class; the group named part, if any, the part"
    )
    no_label: NoLabelWords
    spellings: Spellings = Field(
        description="labels that differ in case, blanks or Unicode form only: end the run, merge "
        "them to the most frequent one, or keep them as classes"
    )
    group: str | None = Field(
        description="images that must stay in one part: parent_folder, or a regular expression "
        "over relative paths whose first group is the name of the group; null: as labels_csv says"
    )
    mirrored_is_same: bool = Field(description="whether a mirror image keeps its class")

    @model_validator(mode="after")
    def _keys_fit_together(self) -> "FolderConfig":
        if self.labels_csv is None:
            for key in _OF_TABLES:
                if getattr(self, key) is not None:
                    raise ValueError(f"{key}: it is about a table; give labels_csv as well")
        if self.labels_csv is not None and self.label_pattern is not None:
            raise ValueError("label_pattern: the labels come from labels_csv; give one of the two")
        if self.group is not None and self.group_column is not None:
            raise ValueError("group: the groups come from group_column; give one of the two")
        return self

    @field_validator("label_pattern", "group")
    @classmethod
    def _is_an_expression(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"{pattern} is not a regular expression: {error}") from error
        return pattern

    def load(self) -> Dataset:
        folder = data_folder(self.root)
        table = folder / self.labels_csv if self.labels_csv is not None else None
        listing = list_images(folder, self.links, table)
        found = self._found(listing, table)
        files = sorted(found.files, key=lambda file: (PART_NAMES.index(file.part), file.path))
        class_names = _class_names(files)
        decoded = decode_all([folder / file.path for file in files], self.frame)
        failed = {files[place].path: why for place, why in decoded.failures.items()}
        self.refuse_failures(failed)
        kept = [file for file in files if file.path not in failed]
        _refuse_lost_classes(kept, class_names)
        facts = decoded.facts
        assert facts is not None  # as some image was decoded
        trained = np.array([file.part in ("train", "unlabelled") for file in kept])
        self.refuse_unclear(facts, [file.path for file in kept], trained)
        dataset = with_labels(
            "folder",
            decoded.images,
            _labels(kept, class_names),
            class_names=class_names,
            mirrored_is_same=self.mirrored_is_same,
        )
        return replace(
            dataset,
            paths=tuple(file.path for file in kept),
            left_out=tuple(failed),
            facts=facts,
            notes=(
                *found.notes,
                *(f"left out: {path}: {why}" for path, why in failed.items()),
                *notes_of(facts, [file.path for file in kept], self.frame),
            ),
            groups=_groups(kept),
        )

    def _found(self, listing: Listing, table: Path | None) -> ImageFiles:
        """All image files and what is known of them, and the notes of all that looked at them."""
        if not listing.files:
            raise _no_images(listing)
        if table is not None:
            found = files_by_table(listing, self._table(table))
        elif self.label_pattern is not None:
            pattern = re.compile(self.label_pattern)
            found = files_by_pattern(listing, pattern, self.no_label)
        else:
            found = files_by_folder(listing)
        one_spelling = settled(found.files, self.spellings)
        grouped = ImageFiles(tuple(one_spelling.files))
        if self.group is not None:
            grouped = with_groups(one_spelling.files, self.group)
        notes = (*listing.notes, *found.notes, *one_spelling.notes, *grouped.notes)
        return ImageFiles(grouped.files, notes)

    def _table(self, file: Path) -> LabelTable:
        names = ColumnNames(
            self.path_column, self.label_column, self.split_column, self.group_column
        )
        return LabelTable(file, names, self.image_folder, self.image_suffix, self.no_label)


def _no_images(listing: Listing) -> DataError:
    held = by_suffix(listing.others).items()
    kinds = [f"{len(paths)} {suffix or 'without a suffix'}" for suffix, paths in held]
    return DataError(
        "there are no image files",
        where=typed("dataset.root", listing.folder),
        why=f"there are other files: {', '.join(some(kinds))}" if kinds else "there is no file",
        fix=f"another dataset.root; images are {' '.join(SUFFIXES)}",
    )


def _class_names(files: list[ImageFile]) -> tuple[str, ...]:
    """The classes of the training part, by code point: one list for all parts."""
    trained = {file.label for file in files if file.part == "train" and file.label}
    for file in files:
        if file.label is not None and file.label not in trained:
            count = sum(other.label == file.label for other in files)
            raise DataError(
                f"the class {file.label} is not among the training images",
                where=file.path,
                why=f"{count} images of the part {file.part} have it; "
                f"training has {', '.join(some(sorted(trained))) or 'no class'}",
                fix="rename it, give it training images, or move its images out of the folder",
            )
    return tuple(sorted(trained))


def _groups(files: Sequence[ImageFile]) -> Rows | None:
    """The number of the group of each image; None if no image has any."""
    names = [file.group or "" for file in files]
    return numbered(names) if any(names) else None


def _refuse_lost_classes(kept: list[ImageFile], class_names: tuple[str, ...]) -> None:
    left = {file.label for file in kept if file.part == "train"}
    lost = [name for name in class_names if name not in left]
    if lost or not kept:
        raise DataError(
            "no training image can be decoded of " + (", ".join(some(lost)) or "any class"),
            where="dataset.root",
            fix="replace the files, or move the whole class out of the folder",
        )


def _labels(
    files: list[ImageFile], class_names: tuple[str, ...]
) -> dict[PartName, Int64[np.ndarray, " _"]]:
    """The class index of each file, part by part."""
    number: dict[str | None, int] = {name: index for index, name in enumerate(class_names)}
    number[None] = NO_LABEL
    return {
        part: np.array([number[file.label] for file in files if file.part == part], np.int64)
        for part in PART_NAMES
    }
