"""Tables of pixels, one image a row: train.csv and test.csv as Kaggle spreads MNIST and its kin."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal, final

import numpy as np
from jaxtyping import Int64
from pydantic import Field

from ae_cls.dataset.contract import (
    NO_LABEL,
    Dataset,
    DatasetConfig,
    ImageShape,
    ImageTable,
    Rows,
)
from ae_cls.dataset.decoded import Decoded, decode_key, take_or_decode
from ae_cls.dataset.files.arrays import NamedArray
from ae_cls.dataset.files.label_array import labels_of_parts, notes_of_missing, numbered
from ae_cls.dataset.files.no_label import NoLabelWords, cleared_arrays, is_number
from ae_cls.dataset.files.part_files import files_of_parts
from ae_cls.dataset.files.pixel_table import PixelTable, read_pixel_table, shape_of
from ae_cls.dataset.files.published import data_folder
from ae_cls.dataset.fingerprint import numbers_sha256
from ae_cls.dataset.table import LABELLED_PARTS, PART_NAMES, PartName, with_labels
from ae_cls.errors import DataError, some
from ae_cls.settings import KeptPath
from ae_cls.store.files import linked_sha256
from ae_cls.store.key import Json
from ae_cls.terminal.progress import Progress

Tables = Mapping[PartName, Sequence[PixelTable]]
Side = int | None


@final
class CsvPixelsConfig(DatasetConfig):
    """Images as rows of numbers in text files."""

    own_files: ClassVar = ("file or folder", "train.csv")
    name: Literal["csv_pixels"]
    root: KeptPath | None = Field(
        description="a table with the columns label, pixel0, pixel1, ... of 0 to 255, or one "
        "column pixels with blanks between them, .csv or .csv.gz; or a folder with train.csv and, "
        "if wanted, valid.csv and test.csv"
    )
    image_height: Side = Field(ge=1, le=4096, description="in pixels; null: images are square")
    image_width: Side = Field(ge=1, le=4096, description="in pixels; null: images are square")
    channels: Literal[1, 3] | None = Field(
        description="1 for grey; 3 for colour, red, green and blue of a pixel side by side; null: "
        "what makes a square"
    )
    class_names: tuple[str, ...] | None = Field(
        description="names in the order of the labels; null: the labels themselves"
    )
    no_label: NoLabelWords
    group_column: str | None = Field(
        description="images of one group stay in one part, such as those of one patient; null: "
        "group, patient_id, subject or another usual name"
    )
    mirrored_is_same: bool = Field(description="whether a mirror image keeps its class")

    def load(self) -> Dataset:
        root = data_folder(self.root)
        found = files_of_parts(root, (".csv", ".csv.gz"))
        tables = _tables(found.files, self.group_column)
        shape = _shape(tables, self.channels, self.image_height, self.image_width)
        labels, names, of_labels = _labels(tables, self.class_names, self.no_label)
        images = _images(_in_order(tables), shape)
        dataset = with_labels(
            "csv_pixels", images, labels, class_names=names, mirrored_is_same=self.mirrored_is_same
        )
        notes = (*found.notes, *_notes(tables), *of_labels, *notes_of_missing(labels))
        return replace(dataset, groups=_groups(tables), notes=notes)


def _tables(files: Mapping[PartName, Sequence[Path]], group: str | None) -> Tables:
    """The tables of each part; rows of a table may say their part where there is one file only.

    A part without labels is unlabelled.
    """
    tables: dict[PartName, list[PixelTable]] = {part: [] for part in PART_NAMES}
    first = read_pixel_table(files["train"][0], group=group)
    if sum(map(len, files.values())) == 1:
        for part, table in first.by_part().items():
            tables[_part(part, table)].append(table)
        return tables
    for part, paths in files.items():
        for file in paths:
            same = file == first.file
            table = first if same else read_pixel_table(file, first.pixel_count, group)
            tables[_part(part, table)].append(table)
    if not tables["train"]:
        raise DataError(
            f"{first.file.name} has no column of labels",
            where=f"{first.file}, line 1",
            fix="name the column label; images without labels go into unlabelled.csv",
        )
    return tables


def _part(part: PartName, table: PixelTable) -> PartName:
    return part if table.label is not None else "unlabelled"


def _groups(tables: Tables) -> Rows | None:
    """The number of the group of each image; None if no image has any."""
    names = [name for table in _in_order(tables) for name in table.groups or [""] * table.count]
    return numbered(names) if any(names) else None


def _in_order(tables: Tables) -> list[PixelTable]:
    return [table for part in PART_NAMES for table in tables[part]]


def _shape(tables: Tables, channels: Side, height: Side, width: Side) -> ImageShape:
    first, *others = _in_order(tables)
    for other in others:
        if other.pixel_count != first.pixel_count:
            raise DataError(
                "the images differ in size",
                where=f"{first.file}, {other.file}",
                why=f"rows of {first.pixel_count} and {other.pixel_count} pixels",
                fix="tables with the same columns; if one has other columns than pixels, take "
                "them out",
            )
    return shape_of(first, channels, height, width)


def _labels(
    tables: Tables, known: tuple[str, ...] | None, no_label: Sequence[str | int] | None
) -> tuple[dict[PartName, Int64[np.ndarray, " _"]], tuple[str, ...], tuple[str, ...]]:
    """The labels of each part, the names of the classes, and what is to be said of them."""
    arrays, notes = cleared_arrays(
        {part: _array(tables[part]) for part in LABELLED_PARTS if tables[part]},
        no_label,
        known or (),
    )
    numbers = all(map(_holds_numbers, arrays.values()))
    labels: dict[PartName, NamedArray] = {
        part: _as_numbers(array) if numbers else array for part, array in arrays.items()
    }
    unlabelled = sum(table.count for table in tables["unlabelled"])
    return *labels_of_parts(labels, known, unlabelled), notes


def _array(tables: Sequence[PixelTable]) -> NamedArray:
    texts = np.array([label for table in tables for label in table.labels], dtype=np.str_)
    return NamedArray(tables[0].file, tables[0].label or "label", texts)


def _holds_numbers(array: NamedArray) -> bool:
    return all(not word or is_number(word) for word in array.values.tolist())


def _as_numbers(array: NamedArray) -> NamedArray:
    numbers = [float(word) if word else NO_LABEL for word in array.values.tolist()]
    return NamedArray(array.file, array.name, np.array(numbers))


def _images(tables: Sequence[PixelTable], shape: ImageShape) -> ImageTable:
    count = sum(table.count for table in tables)
    files: list[Json] = [
        [linked_sha256(table.file), numbers_sha256(table.chosen)] for table in tables
    ]
    inputs = {"format": "pixels 2", "files": files, "shape": list(shape)}
    key = decode_key("csv_pixels", count, shape, inputs)
    return take_or_decode(key, shape, _decoded(tables, shape)).images


def _decoded(tables: Sequence[PixelTable], shape: ImageShape) -> Iterator[Decoded]:
    total = sum(table.count for table in tables)
    with Progress("reading", total=total, unit="images") as progress:
        for table in tables:
            for block in table.blocks(shape):
                yield Decoded(block)
                progress.advance(len(block))


def _notes(tables: Tables) -> Iterator[str]:
    for table in _in_order(tables):
        if table.ignored:
            yield f"{table.file.name}: columns ignored: {', '.join(some(table.ignored))}"
        if not table.has_header and table.label is not None:
            yield f"{table.file.name} has no names of columns: the first holds the labels"
        elif table.label and table.label.lower() not in ("label", "labels"):
            yield f"{table.file.name}: label is the column {table.label}"
    for table in tables["unlabelled"]:
        yield f"{table.file.name} has no labels: only pretraining sees its {table.count} images"
