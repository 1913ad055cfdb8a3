"""Parquet files with an image in each row, as Hugging Face keeps data sets."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Literal, final

import numpy as np
import PIL
from jaxtyping import Int64
from pydantic import Field

from ae_cls.dataset.contract import Dataset, Rows
from ae_cls.dataset.decoded import Decoded, DecodedImages, decode_key, take_or_decode
from ae_cls.dataset.decoding import Frame
from ae_cls.dataset.files.arrays import NamedArray
from ae_cls.dataset.files.decode import FORMAT, quiet
from ae_cls.dataset.files.image_table import decode_some
from ae_cls.dataset.files.label_array import labels_of_parts, notes_of_missing, numbered
from ae_cls.dataset.files.no_label import NoLabelWords, cleared_arrays
from ae_cls.dataset.files.parquet_file import ParquetColumns, ParquetImages, read_parquet
from ae_cls.dataset.files.part_files import files_of_parts
from ae_cls.dataset.files.published import data_folder
from ae_cls.dataset.image_files import ImageFilesConfig
from ae_cls.dataset.noticed import notes_of
from ae_cls.dataset.table import LABELLED_PARTS, PART_NAMES, PartName, with_labels
from ae_cls.errors import some
from ae_cls.settings import KeptPath
from ae_cls.store.files import linked_sha256, sha256
from ae_cls.terminal.progress import Progress

Tables = Mapping[PartName, Sequence[ParquetImages]]

_BLOCK = 512  # images in flight
_CHUNK = 32  # images a thread takes at once


@final
class ParquetConfig(ImageFilesConfig):
    """Image files in the rows of Parquet files."""

    own_files: ClassVar = ("file or folder", "data")
    name: Literal["parquet"]
    root: KeptPath | None = Field(
        description="a .parquet file, or a folder of them: train-*.parquet and, if wanted, "
        "validation-*.parquet and test-*.parquet"
    )
    image_column: str | None = Field(description="null: the only one that holds image files")
    label_column: str | None = Field(
        description="of integers from 0 or of names; null: what the file says, else label"
    )
    group_column: str | None = Field(
        description="images of one group stay in one part, such as those of one patient; null: "
        "group, patient_id, subject or another usual name"
    )
    no_label: NoLabelWords
    mirrored_is_same: bool = Field(description="whether a mirror image keeps its class")

    def load(self) -> Dataset:
        found = files_of_parts(data_folder(self.root), (".parquet",))
        given = ParquetColumns(self.image_column, self.label_column, self.group_column)
        tables: Tables = {
            part: [read_parquet(file, given) for file in files]
            for part, files in found.files.items()
        }
        labels, names, of_labels = _labels(tables, self.no_label)
        in_order = [table for part in PART_NAMES for table in tables.get(part, ())]
        decoded = _decode_all(in_order, self.frame)
        places = [
            f"{table.file.name}, row {row}" for table in in_order for row in range(table.count)
        ]
        failed = {places[row]: why for row, why in decoded.failures.items()}
        self.refuse_failures(failed)
        kept = _without(labels, decoded.failures)
        places = [place for place in places if place not in failed]
        facts = decoded.facts
        assert facts is not None  # as some image was decoded
        trained = np.concatenate(
            [np.full(len(kept[part]), part in ("train", "unlabelled")) for part in PART_NAMES]
        )
        self.refuse_unclear(facts, places, trained)
        dataset = with_labels(
            "parquet", decoded.images, kept, class_names=names,
            mirrored_is_same=self.mirrored_is_same,
        )  # fmt: skip
        notes = (
            *found.notes,
            *of_labels,
            *_notes(tables, kept),
            *(f"left out: {place}: {why}" for place, why in failed.items()),
            *notes_of(facts, places, self.frame),
        )
        groups = _groups(in_order, decoded.failures)
        return replace(dataset, left_out=tuple(failed), notes=notes, facts=facts, groups=groups)


def _labels(
    tables: Tables, no_label: Sequence[str | int] | None
) -> tuple[dict[PartName, Int64[np.ndarray, " _"]], tuple[str, ...], tuple[str, ...]]:
    """The labels of each part, the names of the classes, and what is to be said of them."""
    known = tables["train"][0].class_names
    arrays, notes = cleared_arrays(
        {part: _array(tables[part]) for part in LABELLED_PARTS if part in tables},
        no_label,
        known or (),
    )
    unlabelled = sum(table.count for table in tables.get("unlabelled", ()))
    return *labels_of_parts(arrays, known, unlabelled), notes


def _groups(tables: Sequence[ParquetImages], failures: Mapping[int, str]) -> Rows | None:
    """The number of the group of each image that could be decoded; None if no image has any."""
    names = [name for table in tables for name in table.groups()]
    kept = [name for row, name in enumerate(names) if row not in failures]
    return numbered(kept) if any(kept) else None


def _array(tables: Sequence[ParquetImages]) -> NamedArray:
    values = np.concatenate([table.labels() for table in tables])
    return NamedArray(tables[0].file, tables[0].label or "label", values)


def _decode_all(tables: Sequence[ParquetImages], frame: Frame) -> DecodedImages:
    count = sum(table.count for table in tables)
    inputs = {
        "format": f"parquet 1, files {FORMAT}",
        "pillow": PIL.__version__,  # another one may decode to other bytes
        "frame": asdict(frame),
        "files": [[linked_sha256(table.file), table.image] for table in tables],
    }
    key = decode_key("parquet", count, frame.image_shape, inputs)
    with quiet():
        return take_or_decode(key, frame.image_shape, _decoded(tables, frame, count))


def _decoded(tables: Sequence[ParquetImages], frame: Frame, count: int) -> Iterator[Decoded]:
    """All images, decoded as files are: a block at a time lies in a temporary folder."""
    first = 0
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        Progress("decoding", total=count, unit="images") as progress,
    ):
        for block in (block for table in tables for block in table.blocks(_BLOCK)):
            with TemporaryDirectory(prefix="ae-cls-") as folder:
                files = [Path(folder, str(number)) for number in range(len(block))]
                for file, content in zip(files, block, strict=True):
                    file.write_bytes(content)
                starts = range(0, len(block), _CHUNK)
                yield from pool.map(
                    partial(decode_some, frame),
                    [first + start for start in starts],
                    [files[start : start + _CHUNK] for start in starts],
                    [[sha256(each) for each in block[start : start + _CHUNK]] for start in starts],
                )
            first += len(block)
            progress.advance(len(block))


def _without(
    labels: Mapping[PartName, Int64[np.ndarray, " _"]], failures: Mapping[int, str]
) -> dict[PartName, Int64[np.ndarray, " _"]]:
    """The labels of the rows that have an image."""
    kept: dict[PartName, np.ndarray] = {}
    first = 0
    for part in PART_NAMES:
        column = labels.get(part, np.empty(0, np.int64))
        bad = [row - first for row in failures if first <= row < first + len(column)]
        kept[part] = np.delete(column, bad)
        first += len(column)
    return kept


def _notes(tables: Tables, labels: Mapping[PartName, Int64[np.ndarray, " _"]]) -> Iterator[str]:
    first = tables["train"][0]
    if first.others:
        yield f"{first.file.name}: columns ignored: {', '.join(some(first.others))}"
    yield from notes_of_missing(labels)
