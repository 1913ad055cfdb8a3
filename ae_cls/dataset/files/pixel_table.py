"""Tables of pixels: one image a row, as Kaggle spreads MNIST and its kin."""

import csv
import gzip
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from math import isqrt
from pathlib import Path
from typing import IO, final

import numpy as np
from jaxtyping import UInt8

from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.files.parts import letters_of
from ae_cls.errors import DataError, some

_BLOCK = 1024  # rows read at a time
_LABELS = {"label", "labels", "class", "target", "y"}
_NO_PIXELS = {"", "id", "imageid", "image", "index", "usage", "split"}


@final
@dataclass(frozen=True)
class PixelTable:
    """A table of pixels of which only the first line and the labels are in memory.

    Attributes:
        file: of text separated by commas, packed if its name ends in .gz.
        has_header: whether its first line names the columns.
        label: place of the column of labels, if there is one.
        pixels: places of all pixels in a row.
        ignored: names of the other columns.
        labels: one text an image; none without a column of labels.
        count: of images.
    """

    file: Path
    has_header: bool
    label: int | None
    pixels: tuple[int, ...]
    ignored: tuple[str, ...]
    labels: tuple[str, ...]
    count: int

    def blocks(self, shape: ImageShape) -> Iterator[UInt8[np.ndarray, "b c h w"]]:
        """All images, some at a time; the channels of a pixel stand side by side in the table.

        Raises:
            DataError: a row is too short, or holds something that is no whole number of 0..255.
        """
        channels, height, width = shape
        brightest = 0
        with _opened(self.file) as file:
            rows = (row for row in islice(file, int(self.has_header), None) if row.strip())
            for first in range(0, self.count, _BLOCK):
                values = self._numbers(list(islice(rows, _BLOCK)), first)
                brightest = max(brightest, int(values.max(initial=0)))
                images = values.astype(np.uint8).reshape(-1, height, width, channels)
                yield images.transpose(0, 3, 1, 2)
        if brightest <= 1:
            raise self._wrong("no pixel is above 1", "multiply the pixels by 255")

    def _numbers(self, lines: list[str], first: int) -> np.ndarray:
        try:
            values = _parsed(lines, self.pixels)
        except ValueError as error:
            line = first + int(self.has_header) + 1
            why = f"after line {line - 1}: {error}"
            raise self._wrong(why, "whole numbers from 0 to 255, equally many a row") from error
        outside = ~((values >= 0) & (values <= 255) & (values == np.rint(values)))
        if outside.any():
            row, column = np.unravel_index(int(outside.argmax()), outside.shape)
            line = first + int(row) + int(self.has_header) + 1
            why = f"line {line}, pixel {int(column)} holds {values[row, column]:g}"
            raise self._wrong(why, "whole numbers from 0 to 255")
        return values

    def _wrong(self, why: str, fix: str) -> DataError:
        what = f"{self.file.name} is no table of pixels"
        return DataError(what, where=str(self.file), why=why, fix=fix)


def read_pixel_table(file: Path, pixel_count: int | None = None) -> PixelTable:
    """What a table holds; its images are left in the file.

    Without names in the first line, the first column holds the labels, unless the columns are
    exactly as many as pixels.

    Args:
        file: of text separated by commas.
        pixel_count: how many an image has, where it is known.

    Raises:
        DataError: the file cannot be read, or has no columns of pixels.
    """
    with _opened(file) as opened:
        header = next(opened, "")
        names = [name.strip() for name in next(csv.reader([header.removeprefix("\ufeff")]), [])]
        has_header = not all(re.fullmatch(r"-?\d+(\.\d*)?", name) for name in names)
        label, pixels = _named(names) if has_header else _unnamed(len(names), pixel_count)
        if len(pixels) < 2:
            raise _no_pixels(file, names)
        rows = opened if has_header else chain([header], opened)
        labels, count = _labels(file, (row for row in rows if row.strip()), label)
    if not count:
        raise DataError(f"{file.name} has no rows", where=str(file), fix="a row for each image")
    used = {label, *pixels}
    ignored = tuple(name for place, name in enumerate(names) if place not in used)
    return PixelTable(file, has_header, label, pixels, ignored, labels, count)


def shape_of(
    table: PixelTable, channels: int | None, height: int | None, width: int | None
) -> ImageShape:
    """Channels, height and width: those that are given; images are square where neither side is.

    Raises:
        DataError: no such image has as many pixels.
    """
    count = len(table.pixels)
    for depth in (1, 3) if channels is None else (channels,):
        area = count // depth
        tall = height or (area // width if width else isqrt(area))
        wide = width or (area // tall if height else tall)
        if depth * tall * wide == count:
            return depth, tall, wide
    given = {"channels": channels, "image_height": height, "image_width": width}
    told = [f"{key}={value}" for key, value in given.items() if value is not None]
    raise DataError(
        f"{count} pixels are no image",
        where=str(table.file),
        why=f"with {', '.join(told)}" if told else "neither grey nor in colour are they a square",
        fix="dataset.channels=1 dataset.image_height=... dataset.image_width=...: their product "
        f"is {count}",
    )


def _parsed(lines: list[str], columns: Sequence[int]) -> np.ndarray:
    # Whole numbers are read in a fifth of the time.
    try:
        return np.loadtxt(lines, np.int32, delimiter=",", usecols=columns, ndmin=2)
    except ValueError:
        return np.loadtxt(lines, np.float64, delimiter=",", usecols=columns, ndmin=2)


def _named(names: Sequence[str]) -> tuple[int | None, tuple[int, ...]]:
    letters = [letters_of(name) for name in names]
    label = next((place for place, name in enumerate(letters) if name in _LABELS), None)
    others = {label, *(place for place, name in enumerate(letters) if name in _NO_PIXELS)}
    return label, tuple(place for place in range(len(names)) if place not in others)


def _unnamed(count: int, pixel_count: int | None) -> tuple[int | None, tuple[int, ...]]:
    if count == pixel_count:
        return None, tuple(range(count))
    return 0, tuple(range(1, count))


def _labels(file: Path, rows: Iterator[str], label: int | None) -> tuple[tuple[str, ...], int]:
    if label is None:
        return (), sum(1 for _ in rows)
    found: list[str] = []
    for row in rows:
        fields = row.split(",", label + 1)
        if len(fields) <= label:
            line = len(found) + 1
            what = f"row {line} of {file.name} has no label"
            raise DataError(what, where=str(file), fix="a label in each row")
        found.append(fields[label].strip().strip('"'))
    return tuple(found), len(found)


def _no_pixels(file: Path, names: Sequence[str]) -> DataError:
    return DataError(
        f"{file.name} is no table of pixels",
        where=f"{file}, line 1",
        why=f"its columns are {', '.join(some(names)) or 'none'}",
        fix="one column label and one for each pixel, separated by commas\n"
        "for a table of names of files: dataset=folder dataset.root=FOLDER "
        f"dataset.labels_csv={file.name}",
    )


@contextmanager
def _opened(file: Path) -> Iterator[IO[str]]:
    try:
        with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as opened:
            yield opened
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file.name} cannot be read", where=str(file), why=str(error),
            fix="a table in UTF-8, separated by commas; packed only as .gz",
        ) from error  # fmt: skip
