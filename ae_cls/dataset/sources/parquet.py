"""Parquet files with an image in each row, as Hugging Face keeps data sets."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal, final

import numpy as np
import PIL
from jaxtyping import Int64
from pydantic import Field, model_validator
from tqdm import tqdm

from ae_cls.dataset.contract import NO_LABEL, Dataset, DatasetConfig
from ae_cls.dataset.decoded import Decoded, DecodedImages, decode_key, take_or_decode
from ae_cls.dataset.files.arrays import NamedArray
from ae_cls.dataset.files.decode import FORMAT, Fit, quiet
from ae_cls.dataset.files.image_table import Frame, decode_some
from ae_cls.dataset.files.label_array import labels_of_parts
from ae_cls.dataset.files.parquet_file import ParquetImages, read_parquet
from ae_cls.dataset.files.part_files import files_of_parts
from ae_cls.dataset.files.published import data_folder
from ae_cls.dataset.table import LABELLED_PARTS, PART_NAMES, PartName, with_labels
from ae_cls.errors import DataError, some
from ae_cls.store.files import file_sha256, sha256

Side = Annotated[int, Field(ge=4, le=4096)]
Tables = Mapping[PartName, Sequence[ParquetImages]]

_BLOCK = 512  # images in flight
_CHUNK = 32  # images a thread takes at once


@final
class ParquetConfig(DatasetConfig):
    """Image files in the rows of Parquet files."""

    name: Literal["parquet"]
    root: str | None = Field(
        description="a .parquet file, or a folder of them: train-*.parquet and, if wanted, "
        "validation-*.parquet and test-*.parquet"
    )
    image_size: Side | tuple[Side, Side] = Field(
        description="height and width in pixels, or one number for both; from 4 to 4096"
    )
    channels: Literal[1, 3] = Field(description="1: all become grey; 3: all become colour")
    fit: Fit = Field(description="crop: fill the frame; pad: show all, on white; stretch")
    on_bad: Literal["error", "skip"] = Field(
        description="images that cannot be decoded: end the run, or leave them out and count them"
    )
    image_column: str | None = Field(description="null: the only one that holds image files")
    label_column: str | None = Field(
        description="of integers from 0 or of names; null: what the file says, else label"
    )
    mirrored_is_same: bool = Field(description="whether a mirror image keeps its class")

    @model_validator(mode="after")
    def _root_is_given(self) -> "ParquetConfig":
        if not self.root:
            raise ValueError("root: say which file or folder, for example dataset.root=data")
        if self.download:
            raise ValueError("download: fetch the files yourself; leave it false")
        return self

    def load(self) -> Dataset:
        found = files_of_parts(data_folder(self.root), (".parquet",))
        tables: Tables = {
            part: [read_parquet(file, self.image_column, self.label_column) for file in files]
            for part, files in found.files.items()
        }
        labels, names = _labels(tables)
        in_order = [table for part in PART_NAMES for table in tables.get(part, ())]
        decoded = _decode_all(in_order, self._frame())
        self._refuse_failures(decoded.failures, in_order)
        kept = _without(labels, decoded.failures)
        dataset = with_labels(
            "parquet", decoded.images, kept, class_names=names,
            mirrored_is_same=self.mirrored_is_same,
        )  # fmt: skip
        left_out = tuple(_place(in_order, row) for row in decoded.failures)
        notes = (*found.notes, *_notes(tables, kept), *(f"left out: {row}" for row in left_out))
        return replace(_without_labels_unlabelled(dataset), left_out=left_out, notes=notes)

    def _frame(self) -> Frame:
        size = self.image_size
        height, width = (size, size) if isinstance(size, int) else size
        return Frame(self.channels, height, width, self.fit)

    def _refuse_failures(
        self, failures: Mapping[int, str], tables: Sequence[ParquetImages]
    ) -> None:
        if failures and self.on_bad == "error":
            reasons = [f"{_place(tables, row)}: {why}" for row, why in failures.items()]
            raise DataError(
                f"{len(failures)} images cannot be decoded",
                where=f"dataset.root={self.root}",
                why="\n".join(some(reasons)),
                fix="replace them, or leave them out with dataset.on_bad=skip",
            )


def _labels(
    tables: Tables,
) -> tuple[dict[PartName, Int64[np.ndarray, " _"]], tuple[str, ...]]:
    """The labels of each part, and the names of the classes."""
    arrays: dict[PartName, NamedArray] = {
        part: _array(tables[part]) for part in LABELLED_PARTS if part in tables
    }
    labels, names = labels_of_parts(arrays, tables["train"][0].class_names)
    unlabelled = sum(table.count for table in tables.get("unlabelled", ()))
    labels["unlabelled"] = np.full(unlabelled, NO_LABEL, np.int64)
    return labels, names


def _array(tables: Sequence[ParquetImages]) -> NamedArray:
    values = np.concatenate([table.labels() for table in tables])
    return NamedArray(tables[0].file, tables[0].label or "label", values)


def _decode_all(tables: Sequence[ParquetImages], frame: Frame) -> DecodedImages:
    count = sum(table.count for table in tables)
    inputs = {
        "format": f"parquet 1, files {FORMAT}",
        "pillow": PIL.__version__,  # another one may decode to other bytes
        "frame": asdict(frame),
        "files": [[file_sha256(table.file), table.image] for table in tables],
    }
    key = decode_key("parquet", count, frame.image_shape, inputs)
    with quiet():
        return take_or_decode(key, frame.image_shape, _decoded(tables, frame, count))


def _decoded(tables: Sequence[ParquetImages], frame: Frame, count: int) -> Iterator[Decoded]:
    """All images, decoded as files are: a block at a time lies in a temporary folder."""
    first = 0
    # disable=None: no bar where stderr is no terminal.
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        tqdm(total=count, desc="decoding", unit="image", disable=None) as bar,
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
            bar.update(len(block))


def _place(tables: Sequence[ParquetImages], row: int) -> str:
    for table in tables:
        if row < table.count:
            return f"{table.file.name}, row {row}"
        row -= table.count
    raise AssertionError("a row of no table")


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


def _without_labels_unlabelled(dataset: Dataset) -> Dataset:
    """Rows of any part that have no label are for pretraining alone."""
    known = dataset.labels.numpy() != NO_LABEL
    rows = np.arange(len(known), dtype=np.int64)
    return replace(
        dataset,
        train=dataset.train[known[dataset.train]],
        valid=dataset.valid[known[dataset.valid]],
        test=dataset.test[known[dataset.test]],
        unlabelled=rows[~known],
    )


def _notes(tables: Tables, labels: Mapping[PartName, Int64[np.ndarray, " _"]]) -> Iterator[str]:
    first = tables["train"][0]
    if first.others:
        yield f"{first.file.name}: columns ignored: {', '.join(some(first.others))}"
    for part in LABELLED_PARTS:
        without = int((labels[part] == NO_LABEL).sum())
        if without:
            yield f"{without} images of {part} have no label: only pretraining sees them"
