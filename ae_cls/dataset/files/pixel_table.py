"""Tables of pixels: one image a row, as Kaggle spreads MNIST and its kin."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, compress, islice
from math import isqrt
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Bool, Int64, Shaped, UInt8

from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.files.columns import SPLITS, columns_of_groups
from ae_cls.dataset.files.parts import letters_of, part_of
from ae_cls.dataset.files.regular import lines_of, refuse_special
from ae_cls.dataset.table import PART_NAMES, PartName
from ae_cls.errors import DataError, some, typed

_BLOCK = 1024  # rows read at a time
_LABELS = {"label", "labels", "class", "target", "y"}
_NO_PIXELS = {"", "id", "imageid", "image", "index"}
_PACKED = {"pixels", "pixel"}


@final
@dataclass(frozen=True)
class PixelTable:
    """A table of pixels, or those of its rows that are one part of the data.

    Only the first line and what the rows say beside their pixels are in memory.

    Attributes:
        file: of text separated by commas, packed if its name ends in .gz.
        has_header: whether its first line names the columns.
        label: name of the column of labels, if there is one; empty if it has no name.
        pixels: places of all pixels in a row.
        in_one_column: how many pixels, with blanks between, the only one of `pixels` holds; 0 where
            each has a column of its own.
        ignored: names of the other columns.
        labels: one text an image; none without a column of labels.
        groups: likewise, empty for an image that stands alone.
        splits: what a column says of the part of each image; none without one.
        chosen: places of the rows among all rows of the file.
    """

    file: Path
    has_header: bool
    label: str | None
    pixels: tuple[int, ...]
    in_one_column: int
    ignored: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    splits: tuple[str, ...]
    chosen: Int64[np.ndarray, " n"]

    @property
    def count(self) -> int:
        """Images."""
        return len(self.chosen)

    @property
    def pixel_count(self) -> int:
        """Numbers an image."""
        return self.in_one_column or len(self.pixels)

    def by_part(self) -> dict[PartName, "PixelTable"]:
        """The rows of each part, as the column of parts says; all are for training without one.

        Raises:
            DataError: some rows have another word there.
        """
        if not self.splits:
            return {"train": self}
        parts = np.array([part_of(word) or "" for word in self.splits])
        if (parts == "").any():
            row = int((parts == "").argmax())
            raise DataError(
                f"{self.file.name} has a row of no part", where=str(self.file),
                why=f"row {row + 1} has {self.splits[row]!r}, and others {self._some_part(parts)}",
                fix="train, valid, test or unlabelled in each row",
            )  # fmt: skip
        return {part: self._only(parts == part) for part in PART_NAMES if (parts == part).any()}

    def blocks(self, shape: ImageShape) -> Iterator[UInt8[np.ndarray, "b c h w"]]:
        """All images, some at a time; the channels of a pixel stand side by side in the table.

        Raises:
            DataError: a row is too short, or holds something that is no whole number of 0..255.
        """
        channels, height, width = shape
        brightest = 0
        with _opened(self.file) as file:
            rows = self._chosen_rows(file)
            for first in range(0, self.count, _BLOCK):
                values = self._numbers(list(islice(rows, _BLOCK)), first)
                brightest = max(brightest, int(values.max(initial=0)))
                images = values.astype(np.uint8).reshape(-1, height, width, channels)
                yield images.transpose(0, 3, 1, 2)
        if brightest <= 1:
            raise self._wrong("no pixel is above 1", "multiply the pixels by 255")

    def _only(self, chosen: Bool[np.ndarray, " n"]) -> "PixelTable":
        def some_of(texts: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(compress(texts, chosen.tolist()))

        return replace(
            self,
            labels=some_of(self.labels),
            groups=some_of(self.groups),
            splits=some_of(self.splits),
            chosen=self.chosen[chosen],
        )

    def _some_part(self, parts: Shaped[np.ndarray, " n"]) -> str:
        return ", ".join(some(sorted({w for w, p in zip(self.splits, parts, strict=True) if p}), 3))

    def _chosen_rows(self, lines: Iterable[str]) -> Iterator[str]:
        rows = (row for row in islice(lines, int(self.has_header), None) if row.strip())
        wanted = set(self.chosen.tolist())
        return (row for place, row in enumerate(rows) if place in wanted)

    def _numbers(self, lines: list[str], first: int) -> np.ndarray:
        try:
            values = _parsed(lines, self.pixels, in_one_column=self.in_one_column > 0)
            if values.shape[1] != self.pixel_count:
                raise ValueError(f"{values.shape[1]} pixels, not {self.pixel_count}")
        except ValueError as error:
            why = f"after line {self._line(first) - 1}: {error}"
            raise self._wrong(why, "whole numbers from 0 to 255, equally many a row") from error
        outside = ~((values >= 0) & (values <= 255) & (values == np.rint(values)))
        if outside.any():
            row, column = np.unravel_index(int(outside.argmax()), outside.shape)
            held = f"pixel {int(column)} holds {values[row, column]:g}"
            why = f"line {self._line(first + int(row))}, {held}"
            raise self._wrong(why, "whole numbers from 0 to 255")
        return values

    def _line(self, image: int) -> int:
        return int(self.chosen[image]) + int(self.has_header) + 1

    def _wrong(self, why: str, fix: str) -> DataError:
        what = f"{self.file.name} is not a table of pixels"
        return DataError(what, where=str(self.file), why=why, fix=fix)


@final
@dataclass(frozen=True)
class _Places:
    """Where in a row each thing stands."""

    label: int | None
    group: int | None
    split: int | None
    pixels: tuple[int, ...]


def read_pixel_table(
    file: Path, pixel_count: int | None = None, group: str | None = None
) -> PixelTable:
    """What a table holds; its images are left in the file.

    Without names in the first line, the first column holds the labels, unless the columns are
    exactly as many as pixels.

    Args:
        file: of text separated by commas.
        pixel_count: how many an image has, where it is known.
        group: name of the column of groups; None: found by the usual names.

    Raises:
        DataError: the file cannot be read, or has no columns of pixels.
    """
    with _opened(file) as opened:
        header = next(opened, "")
        names = [name.strip() for name in next(csv.reader([header.removeprefix("\ufeff")]), [])]
        has_header = not all(re.fullmatch(r"-?\d+(\.\d*)?", name) for name in names)
        places = _named(file, names, group) if has_header else _unnamed(len(names), pixel_count)
        in_one = len(places.pixels) == 1 and letters_of(names[places.pixels[0]]) in _PACKED
        if len(places.pixels) < 2 and not in_one:
            raise _no_pixels(file, names)
        lines = opened if has_header else chain([header], opened)
        rows = (row for row in lines if row.strip())
        first = next(rows, None)
        if first is None:
            raise DataError(f"{file.name} has no rows", where=str(file), fix="a row for each image")
        beside = _beside(file, chain([first], rows), places)
    splits = beside.splits if any(map(part_of, beside.splits)) else ()  # else of something else
    used = {places.label, places.group, *places.pixels, *([places.split] if splits else [])}
    return PixelTable(
        file,
        has_header,
        None if places.label is None else names[places.label] if has_header else "",
        places.pixels,
        len(_packed_in(first, places)) if in_one else 0,
        tuple(name for place, name in enumerate(names) if place not in used),
        beside.labels,
        beside.groups,
        splits,
        np.arange(beside.count),
    )


def shape_of(
    table: PixelTable, channels: int | None, height: int | None, width: int | None
) -> ImageShape:
    """Channels, height and width: those that are given; images are square where neither side is.

    Raises:
        DataError: no such image has as many pixels.
    """
    count = table.pixel_count
    for depth in (1, 3) if channels is None else (channels,):
        area = count // depth
        tall = height or (area // width if width else isqrt(area))
        wide = width or (area // tall if height else tall)
        if depth * tall * wide == count:
            return depth, tall, wide
    given = {"channels": channels, "image_height": height, "image_width": width}
    told = [f"{key}={value}" for key, value in given.items() if value is not None]
    raise DataError(
        f"{count} pixels do not make an image",
        where=str(table.file),
        why=f"with {', '.join(told)}" if told else "neither grey nor in colour are they a square",
        fix="dataset.channels=1 dataset.image_height=... dataset.image_width=...: their product "
        f"is {count}",
    )


def _parsed(lines: list[str], columns: Sequence[int], *, in_one_column: bool) -> np.ndarray:
    texts, used, delimiter = lines, columns, ","
    if in_one_column:
        texts, used, delimiter = [row[columns[0]] for row in csv.reader(lines)], None, None
    # Whole numbers are read in a fifth of the time.
    try:
        return np.loadtxt(texts, np.int32, delimiter=delimiter, usecols=used, ndmin=2)
    except ValueError:
        return np.loadtxt(texts, np.float64, delimiter=delimiter, usecols=used, ndmin=2)


def _named(file: Path, names: Sequence[str], group: str | None) -> _Places:
    letters = [letters_of(name) for name in names]
    if group is not None and group not in names:
        raise DataError(
            f"{file.name} has no column {group}", where=typed("dataset.group_column", group),
            why=f"its columns are {', '.join(some(names))}",
            fix="dataset.group_column=NAME, one of them",
        )  # fmt: skip
    groups = columns_of_groups(names) if group is None else [group]
    group_place = names.index(groups[0]) if groups else None
    split = next((place for place, name in enumerate(letters) if name in SPLITS), None)
    label = next((place for place, name in enumerate(letters) if name in _LABELS), None)
    others = {label, group_place, split}
    others |= {place for place, name in enumerate(letters) if name in _NO_PIXELS}
    pixels = [place for place in range(len(names)) if place not in others]
    if packed := [place for place in pixels if letters[place] in _PACKED]:
        label, pixels = _only_other(pixels, packed) if label is None else label, packed[:1]
    elif label is None and (odd := _without_number(names, pixels)) is not None:
        label, pixels = odd, [place for place in pixels if place != odd]
    return _Places(label, group_place, split, tuple(pixels))


def _only_other(places: Sequence[int], packed: Sequence[int]) -> int | None:
    others = [place for place in places if place not in packed]
    return others[0] if len(others) == 1 else None


def _without_number(names: Sequence[str], places: Sequence[int]) -> int | None:
    """The only column without a number in its name: pixels are counted, labels are not."""
    plain = [place for place in places if not re.search(r"\d", names[place])]
    return plain[0] if len(plain) == 1 and len(places) > 2 else None


def _unnamed(count: int, pixel_count: int | None) -> _Places:
    if count == pixel_count:
        return _Places(None, None, None, tuple(range(count)))
    return _Places(0, None, None, tuple(range(1, count)))


@final
@dataclass(frozen=True)
class _Beside:
    """What stands beside the pixels in each row, and how many rows there are."""

    labels: tuple[str, ...]
    groups: tuple[str, ...]
    splits: tuple[str, ...]
    count: int


def _beside(file: Path, rows: Iterable[str], places: _Places) -> _Beside:
    wanted = (places.label, places.group, places.split)
    last = max((place for place in wanted if place is not None), default=-1)
    columns: tuple[list[str], ...] = ([], [], [])
    count = 0
    for row in rows:
        count += 1
        fields = row.split(",", last + 1)
        if len(fields) <= last:
            what = f"row {count} of {file.name} has too few fields"
            raise DataError(what, where=str(file), fix="as many in each row as in the first")
        for place, column in zip(wanted, columns, strict=True):
            if place is not None:
                column.append(fields[place].strip().strip('"'))
    labels, groups, splits = map(tuple, columns)
    return _Beside(labels, groups, splits, count)


def _packed_in(row: str, places: _Places) -> list[str]:
    return next(csv.reader([row]))[places.pixels[0]].split()


def _no_pixels(file: Path, names: Sequence[str]) -> DataError:
    return DataError(
        f"{file.name} is not a table of pixels",
        where=f"{file}, line 1",
        why=f"its columns are {', '.join(some(names)) or 'none'}",
        fix="one column label and one for each pixel, separated by commas\n"
        "for a table of names of files: dataset=folder dataset.root=FOLDER "
        f"dataset.labels_csv={file.name}",
    )


@contextmanager
def _opened(file: Path) -> Iterator[Iterator[str]]:
    """Its lines."""
    try:
        refuse_special(file)
        is_packed = file.suffix == ".gz"
        with (
            gzip.open(file, "rt", encoding="utf-8") if is_packed else file.open(encoding="utf-8")
        ) as opened:
            yield lines_of(opened)
    except DataError:
        raise
    except (OSError, EOFError, zlib.error, csv.Error, ValueError) as error:
        raise DataError(
            f"{file.name} cannot be read", where=str(file), why=str(error),
            fix="a table in UTF-8, separated by commas; packed only as .gz",
        ) from error  # fmt: skip
