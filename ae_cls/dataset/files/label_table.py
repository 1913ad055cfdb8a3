"""A table of labels beside the images: path and label in each row; part and group if wanted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from ae_cls.dataset.files.columns import (
    ColumnNames,
    Columns,
    column_notes,
    columns_of,
    one_hot_label,
)
from ae_cls.dataset.files.image_file import ImageFile, ImageFiles, top_folder
from ae_cls.dataset.files.listing import Listing
from ae_cls.dataset.files.no_label import NoLabel, words_for_none
from ae_cls.dataset.files.parts import part_of
from ae_cls.dataset.files.table_paths import Completion, TablePaths, completion
from ae_cls.dataset.files.text_table import TextTable, read_text_table
from ae_cls.dataset.table import PartName
from ae_cls.errors import DataError, some, typed


@final
@dataclass(frozen=True)
class LabelTable:
    """Where a table of labels is, and how it is to be read.

    Attributes:
        file: of text.
        columns: their names, where the user gives them.
        folder: below the root, which the paths are relative to; None: the root, or what fits.
        suffix: to be put after the paths; None: none, or the only one that there is.
        no_label: labels that mean that there is none; None: the usual words.
    """

    file: Path
    columns: ColumnNames
    folder: str | None
    suffix: str | None
    no_label: Sequence[str | int] | None = None


@final
@dataclass(frozen=True)
class _Row:
    """As it is written; `file` is the image that it means, None if there is none."""

    line: int
    path: str
    label: str
    split: str
    group: str
    mistake: str
    file: str | None = None


def files_by_table(listing: Listing, given: LabelTable) -> ImageFiles:
    """The part, the class and the group of each file, as the table says.

    Without a split the part follows from the folders train, valid and test; without one for
    training it is train. Files without a row, or with an empty label, are unlabelled.

    Raises:
        DataError: there is no such table; rows that repeat, lead elsewhere or mean no file, all
            with their line numbers.
    """
    _refuse_missing(listing, given.file)
    table = read_text_table(given.file, "dataset.labels_csv")
    columns = columns_of(table, given.columns)
    written = [_row(table, columns, line, values) for line, values in table.rows]
    none = _words_for_none(written, columns, given)
    worded = {row.line for row in written if row.label in none.words}
    written = [replace(row, label=none.cleared(row.label)) for row in written]
    found = completion(listing, [row.path for row in written], given.folder, given.suffix)
    paths = TablePaths(listing, found)
    rows = [_with_file(row, paths) for row in written]
    _refuse_mistakes(given.file, rows, paths, found)
    files = [_image_file(row, listing) for row in rows]
    rest = _without_row(listing, {file.path for file in files})
    notes = [*table.notes, *column_notes(table, columns), *found.notes, *none.notes]
    told = {row.file for row in rows if row.line in worded}
    notes += _notes(table, [file for file in files if file.path not in told], rest)
    notes += _notes_of_groups(table, files)
    return ImageFiles((*files, *rest), tuple(notes))


def _refuse_missing(listing: Listing, file: Path) -> None:
    if file.is_file():
        return
    is_below = file.is_relative_to(listing.folder)
    here = Path.cwd() / file.relative_to(listing.folder) if is_below else file
    tables = [name for name in listing.others if name.endswith((".csv", ".tsv", ".txt", ".gz"))]
    known = f"dataset.labels_csv={tables[0]}" if tables else "dataset.labels_csv=FILE"
    raise DataError(
        f"there is no table {file.name}",
        where=str(file),
        why="the file is expected below dataset.root" if not file.is_dir() else "it is a folder",
        fix=typed("dataset.labels_csv", here) if here.is_file() else known,
    )


def _row(table: TextTable, columns: Columns, line: int, values: Sequence[str]) -> _Row:
    if len(values) != len(table.columns):
        count = f"{len(values)} fields, not {len(table.columns)}"
        return _Row(line, values[0], "", "", "", f"{count}: {', '.join(some(values, 4))}")

    def field(place: int | None) -> str:
        return "" if place is None else values[place].strip()

    label, mistake = field(columns.label[0]), ""
    if len(columns.label) > 1:
        label, mistake = one_hot_label(table, columns.label, values)
    split, group = field(columns.split), field(columns.group)
    return _Row(line, values[columns.path], label, split, group, mistake)


def _words_for_none(rows: Sequence[_Row], columns: Columns, given: LabelTable) -> NoLabel:
    """Of a table in which each class has a column, the labels are names of columns: none."""
    labels = [row.label for row in rows] if len(columns.label) == 1 else []
    return words_for_none(labels, given.no_label, given.file.name)


def _with_file(row: _Row, paths: TablePaths) -> _Row:
    if row.mistake:
        return row
    file, mistake = paths.file_of(row.path)
    mistake = mistake or _mistake(row)
    return _Row(row.line, row.path, row.label, row.split, row.group, mistake, file)


def _mistake(row: _Row) -> str:
    part = part_of(row.split)
    if row.split and part is None:
        return f"split {row.split} is not train, valid or test"
    if part == "unlabelled" and row.label:
        return f"{row.path} has a label but is unlabelled"
    if part in ("valid", "test") and not row.label:
        return f"{row.path} is for {part} and has an empty label"
    return ""


def _refuse_mistakes(
    file: Path, rows: Sequence[_Row], paths: TablePaths, found: Completion
) -> None:
    mistakes = list(_mistakes(rows))
    if not rows:
        raise DataError(
            f"{file.name} has no rows", where=str(file), fix="a row for each image with a label"
        )
    if mistakes:
        several = f"{len(mistakes)} rows of {file.name} are wrong"
        missing = any(row.file is None and row.mistake for row in rows)
        mend = "correct these rows, or take them out of the table"
        raise DataError(
            several if len(mistakes) > 1 else f"a row of {file.name} is wrong",
            where=str(file),
            why="\n".join(some(mistakes)),
            fix=f"{found.advice or mend}\n{paths.example()}" if missing else mend,
        )


def _mistakes(rows: Sequence[_Row]) -> Iterator[str]:
    first: dict[str, _Row] = {}
    for row in rows:
        earlier = first.setdefault(row.file, row) if row.file else row
        if row.mistake:
            yield f"line {row.line}: {row.mistake}"
        elif earlier is not row:
            repeats = "repeats" if earlier.label == row.label else "contradicts"
            yield f"line {row.line}: {row.path} {repeats} line {earlier.line}"


def _image_file(row: _Row, listing: Listing) -> ImageFile:
    assert row.file is not None, "rows without a file were refused"
    part = _part(row, row.file, listing) if row.label else "unlabelled"
    return ImageFile(row.file, part, row.label or None, row.group or None)


def _part(row: _Row, path: str, listing: Listing) -> PartName:
    if row.split:
        return part_of(row.split) or "train"
    is_parted = any(part_of(folder) == "train" for folder in listing.top_folders)
    by_folder = part_of(top_folder(path) or "") if is_parted else None
    return "train" if by_folder in (None, "unlabelled") else by_folder


def _without_row(listing: Listing, listed: set[str]) -> list[ImageFile]:
    rest = [path for path in listing.files if path not in listed]
    return [ImageFile(path, "unlabelled", None) for path in rest]


def _notes(
    table: TextTable, files: Sequence[ImageFile], rest: Sequence[ImageFile]
) -> Iterator[str]:
    """How many images have no label, because they have no row or an empty one in it."""
    paths = [file.path for file in rest]
    unlisted = [path for path in paths if part_of(top_folder(path) or "") != "unlabelled"]
    if unlisted:
        yield _unlabelled("no row in", table, unlisted)
    empty = [file.path for file in files if file.label is None]
    if empty:
        yield _unlabelled("an empty label in", table, empty)


def _notes_of_groups(table: TextTable, files: Sequence[ImageFile]) -> Iterator[str]:
    groups = {file.group for file in files} - {None}
    if groups:
        alone = sum(file.group is None for file in files)
        and_alone = f"; {alone} images have none and stand alone" if alone else ""
        yield f"{table.file.name}: {len(files)} images are of {len(groups)} groups{and_alone}"


def _unlabelled(why: str, table: TextTable, paths: Sequence[str]) -> str:
    return (
        f"{len(paths)} images have {why} {table.file.name} and are unlabelled: only pretraining "
        f"sees them: {', '.join(some(paths, 3))}"
    )
