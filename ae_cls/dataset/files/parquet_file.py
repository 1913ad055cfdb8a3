"""Parquet files with an image in each row, as Hugging Face keeps data sets."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from ae_cls.dataset.contract import NO_LABEL
from ae_cls.dataset.files.columns import columns_of_groups
from ae_cls.dataset.files.regular import refuse_special
from ae_cls.errors import DataError, UsageError, some, typed

if TYPE_CHECKING:
    from pyarrow import Schema
    from pyarrow.parquet import ParquetFile

_LABELS = ("label", "labels", "class", "target", "category", "y")


@final
@dataclass(frozen=True)
class ParquetColumns:
    """The names that the user gives; None: found by what the file says, or by usual names."""

    image: str | None = None
    label: str | None = None
    group: str | None = None


@final
@dataclass(frozen=True)
class ParquetImages:
    """A file whose images are read as they are needed.

    Attributes:
        file: it is read from.
        image: name of the column of images.
        label: name of the column of labels; None: there is none.
        group: name of the column of groups; None: there is none.
        class_names: as the file names them; None: it does not.
        others: names of the other columns.
        count: of rows.
    """

    file: Path
    image: str
    label: str | None
    group: str | None
    class_names: tuple[str, ...] | None
    others: tuple[str, ...]
    count: int

    def labels(self) -> np.ndarray:
        """Numbers or names, one a row; `NO_LABEL` or an empty name where there is none.

        Raises:
            DataError: the file is damaged.
        """
        if self.label is None:
            return np.full(self.count, NO_LABEL)
        with _opened(self.file) as file:
            column = file.read(columns=[self.label]).column(0).to_pylist()
        words = any(isinstance(value, str) for value in column)
        nothing = "" if words else NO_LABEL
        return np.array([nothing if value is None else value for value in column])

    def groups(self) -> list[str]:
        """The name of the group of each row; empty for one that stands alone.

        Raises:
            DataError: the file is damaged.
        """
        if self.group is None:
            return [""] * self.count
        with _opened(self.file) as file:
            column = file.read(columns=[self.group]).column(0).to_pylist()
        return ["" if value is None else str(value).strip() for value in column]

    def blocks(self, size: int) -> Iterator[list[bytes]]:
        """The bytes of all images, some at a time; none for a row without an image.

        Raises:
            DataError: the file is damaged.
        """
        with _opened(self.file) as file:
            for batch in file.iter_batches(size, columns=[self.image]):
                yield [_content(value) for value in batch.column(0).to_pylist()]


def read_parquet(file: Path, given: ParquetColumns) -> ParquetImages:
    """What a file holds; its images are left in it.

    Args:
        file: to be read.
        given: names of columns.

    Raises:
        DataError: the file is damaged, or it is unclear which column is which.
        UsageError: pyarrow is missing.
    """
    with _opened(file) as opened:
        schema, count = opened.schema_arrow, opened.metadata.num_rows
    features = _features(schema.metadata or {})
    image = _column(file, schema, "image", given.image, _image_columns(schema, features))
    if image is None:
        raise _no_images(file, schema)
    label = _column(file, schema, "label", given.label, _label_columns(schema, features))
    groups = columns_of_groups([name for name in schema.names if name not in (image, label)])
    group = _column(file, schema, "group", given.group, groups)
    names = tuple(features.get(label or "", {}).get("names") or ()) or None
    others = tuple(name for name in schema.names if name not in (image, label, group))
    return ParquetImages(file, image, label, group, names, others, count)


@contextmanager
def _opened(path: Path) -> "Iterator[ParquetFile]":
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError as error:
        raise UsageError(
            "dataset=parquet needs pyarrow, which is not installed",
            where="dataset=parquet",
            fix='pip install "ae-cls[parquet]"',
        ) from error
    try:
        refuse_special(path)
        with ParquetFile(path) as file:
            yield file
    except (ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{path.name} cannot be read", where=str(path), why=str(error).split("\n")[0],
            fix="fetch the file again, or leave it out by naming the others in dataset.root",
        ) from error  # fmt: skip


def _features(metadata: Mapping[bytes, bytes]) -> Mapping[str, Mapping[str, Any]]:
    """What Hugging Face says of the columns; nothing if the file is by another hand."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {name: dict(feature) for name, feature in features.items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _image_columns(schema: "Schema", features: Mapping[str, Mapping[str, Any]]) -> list[str]:
    told = [name for name, feature in features.items() if feature.get("_type") == "Image"]
    return [name for name in told if name in schema.names] or [
        field.name for field in schema if _holds_bytes(str(field.type))
    ]


def _holds_bytes(kind: str) -> bool:
    return kind in ("binary", "large_binary") or (
        kind.startswith("struct<") and ("bytes: binary" in kind or "bytes: large_binary" in kind)
    )


def _label_columns(schema: "Schema", features: Mapping[str, Mapping[str, Any]]) -> list[str]:
    told = [name for name, feature in features.items() if feature.get("_type") == "ClassLabel"]
    usual = [name for word in _LABELS for name in schema.names if name.lower() == word]
    return [name for name in told if name in schema.names] or usual[:1]


def _column(
    file: Path, schema: "Schema", role: str, given: str | None, found: Sequence[str]
) -> str | None:
    if given is not None:
        if given not in schema.names:
            raise DataError(
                f"{file.name} has no column {given}",
                where=typed(f"dataset.{role}_column", given),
                why=f"its columns are {', '.join(some(schema.names))}",
                fix=f"dataset.{role}_column=NAME, one of them",
            )
        return given
    if len(found) > 1:
        raise DataError(
            f"{file.name} has several columns that may hold the {role}",
            where=str(file),
            why=", ".join(found),
            fix="\nor ".join(typed(f"dataset.{role}_column", name) for name in found),
        )
    return found[0] if found else None


def _no_images(file: Path, schema: "Schema") -> DataError:
    columns = [f"{field.name} ({field.type})" for field in schema]
    return DataError(
        f"{file.name} has no column of images",
        where=str(file),
        why=f"its columns are {', '.join(some(columns))}",
        fix="a column of the bytes of image files: binary, or struct<bytes, path>",
    )


def _content(value: object) -> bytes:
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else b""
