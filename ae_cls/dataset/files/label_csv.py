"""A table of labels beside the images: columns path, label and, if wanted, split."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import final

from ae_cls.dataset.files.layout import PART_WORDS, ImageFile
from ae_cls.dataset.files.listing import Listing
from ae_cls.dataset.table import PartName
from ae_cls.errors import DataError, some


@final
@dataclass(frozen=True)
class _Row:
    line: int
    path: str
    label: str
    split: str


def files_by_csv(listing: Listing, table: Path) -> list[ImageFile]:
    """The part and the class of each file, as the table says; files in `unlabelled` need no row.

    Without a split the part follows from the folders train, valid and test; without these it is
    train.

    Raises:
        DataError: rows that repeat, lead elsewhere or are empty, with line numbers; unlisted files.
    """
    rows = list(_rows(table))
    _refuse(table, list(_mistakes(rows, listing)))
    files = [ImageFile(_tidy(row.path), _part(row, listing), row.label) for row in rows]
    listed = {file.path for file in files}
    rest = [path for path in listing.files if path not in listed]
    unlisted = [path for path in rest if _folder_part(path) != "unlabelled"]
    if unlisted:
        raise DataError(
            f"{len(unlisted)} images have no row in {table.name}",
            where=", ".join(some(unlisted)),
            fix="give them a row, or move them to the folder unlabelled",
        )
    return files + [ImageFile(path, "unlabelled", None) for path in rest]


def _rows(table: Path) -> Iterator[_Row]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            _refuse_columns(table, columns)
            for values in reader:
                if values:  # an empty line
                    yield _row(table, reader.line_num, columns, values)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{table.name} cannot be read",
            where=f"dataset.labels_csv={table}",
            why=str(error),
            fix="a CSV file in UTF-8 with the columns path, label and, if wanted, split",
        ) from error


def _refuse_columns(table: Path, columns: list[str]) -> None:
    if sorted(columns) not in (["label", "path"], ["label", "path", "split"]):
        raise DataError(
            f"{table.name} does not have the columns that are expected",
            where=f"{table}, line 1",
            why=f"it has {', '.join(columns) or 'none'}",
            fix="path,label or path,label,split",
        )


def _row(table: Path, line: int, columns: list[str], values: list[str]) -> _Row:
    if len(values) != len(columns):
        raise _refusal(table, [f"line {line}: {len(values)} fields, not {len(columns)}"])
    given: Mapping[str, str] = dict(zip(columns, values, strict=True))
    return _Row(line, given["path"], given["label"].strip(), given.get("split", "").strip())


def _mistakes(rows: list[_Row], listing: Listing) -> Iterator[str]:
    files = set(listing.files)
    first: dict[str, _Row] = {}
    for row in rows:
        mistake = _mistake(row, first.get(_tidy(row.path)), files)
        if mistake:
            yield f"line {row.line}: {mistake}"
        first.setdefault(_tidy(row.path), row)


def _mistake(row: _Row, earlier: _Row | None, files: set[str]) -> str:
    path = PurePosixPath(row.path)
    if path.is_absolute() or ".." in path.parts:
        return f"{row.path} leads out of the folder"
    if earlier is not None:
        repeats = "repeats" if earlier.label == row.label else "contradicts"
        return f"{row.path} {repeats} line {earlier.line}"
    if not row.label:
        return f"{row.path} has an empty label"
    if row.split and row.split not in PART_WORDS:
        return f"split {row.split} is not train, valid or test"
    if PART_WORDS.get(row.split) == "unlabelled":
        return f"{row.path} has a label but is unlabelled"
    if _tidy(row.path) not in files:
        return f"{row.path} does not exist, or does not have the suffix of an image"
    return ""


def _part(row: _Row, listing: Listing) -> PartName:
    if row.split:
        return PART_WORDS[row.split]
    by_folder = _folder_part(row.path) if "train" in listing.top_folders else "train"
    return "train" if by_folder in (None, "unlabelled") else by_folder


def _folder_part(path: str) -> PartName | None:
    words = PurePosixPath(path).parts
    return PART_WORDS.get(words[0]) if len(words) > 1 else None


def _tidy(path: str) -> str:
    return PurePosixPath(path).as_posix()


def _refuse(table: Path, mistakes: list[str]) -> None:
    if mistakes:
        raise _refusal(table, mistakes)


def _refusal(table: Path, mistakes: list[str]) -> DataError:
    return DataError(
        f"{len(mistakes)} rows of {table.name} are wrong",
        where=str(table),
        why="\n".join(some(mistakes)),
    )
