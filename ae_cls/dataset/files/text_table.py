"""Tables in text files as spreadsheets, pandas and people write them."""

import csv
import io
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import final

from ae_cls.dataset.files.regular import refuse_special, unzipped
from ae_cls.errors import DataError

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_MOST_BYTES = 2**29  # of a table of names; ImageNet's has 60 MB
_MOST_UNPACKED = 2**24  # bytes that a packed table may always have
_MOST_RATIO = 200  # unpacked to packed, beyond that: of names it is about 10, of one byte 1,000
_LOOKED_AT = 50  # rows, to find out how a table is separated
_SAID_SEPARATOR = re.compile(r'"?sep=(.)"?\r?\n')  # Excel's own first line
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@final
@dataclass(frozen=True)
class TextTable:
    """Rows of text.

    Attributes:
        file: where they were read.
        columns: what stands in the first line, without blanks around it.
        rows: the number of the line where each ends, and its fields; rows without any are left out.
        notes: how it was read where that is not plain.
    """

    file: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    notes: tuple[str, ...] = ()


def read_text_table(file: Path, where: str) -> TextTable:
    """The table in a file separated by commas, semicolons, tabs or bars; packed with gzip or not.

    In UTF-8 or UTF-16 with or without byte order mark, otherwise in Windows-1252.

    Args:
        file: the table.
        where: the key that names the file, for messages.

    Raises:
        DataError: the file is missing or no such table.
    """
    try:
        text, encoding = _decoded(_content(file))
        separator = _separator(text)
        columns, rows = _rows(text, separator)
    except (OSError, csv.Error, ValueError) as error:
        raise DataError(
            f"{file.name} cannot be read",
            where=f"{where}={file}",
            why=str(error),
            fix="a CSV file in UTF-8, with the names of the columns in its first line",
        ) from error
    notes = () if encoding != "cp1252" else (f"{file.name} is no UTF-8: read as Windows-1252",)
    return TextTable(file, columns, rows, notes)


def _content(file: Path) -> bytes:
    refuse_special(file)
    with file.open("rb") as opened:
        content = opened.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
    if content.startswith(_WORKBOOKS):
        raise ValueError("it is a workbook of a spreadsheet, not text: save the sheet as CSV")
    if not content.startswith(b"\x1f\x8b"):
        return content
    return unzipped(content, min(_MOST_BYTES, max(_MOST_UNPACKED, _MOST_RATIO * len(content))))


def _decoded(content: bytes) -> tuple[str, str]:
    """The text, and the name of its encoding."""
    encoding = "utf-8-sig"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif content[:2].count(0) == 1:  # the first character is of a name of a column, so it is ASCII
        encoding = "utf-16-be" if content[0] == 0 else "utf-16-le"
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError:
        if encoding != "utf-8-sig":
            raise
        return content.decode("cp1252"), "cp1252"


def _separator(text: str) -> str:
    """The one that divides the first rows into equally many fields, most of all."""
    said = _SAID_SEPARATOR.match(text)
    if said:
        return said[1]

    def promise(separator: str) -> tuple[bool, int]:
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
            counts = [len(row) for row in islice(rows, _LOOKED_AT) if row]
        except csv.Error:
            return False, 0
        return len(set(counts)) == 1 and counts[0] > 1, counts[0] if counts else 0

    return max(_SEPARATORS, key=promise)


def _rows(
    text: str, separator: str
) -> tuple[tuple[str, ...], tuple[tuple[int, tuple[str, ...]], ...]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    if _SAID_SEPARATOR.match(text):
        next(reader)
    columns = tuple(name.strip() for name in next(reader, []))
    rows = ((reader.line_num, tuple(values)) for values in reader)
    # Spreadsheets save empty rows as separators alone.
    return columns, tuple(row for row in rows if any(field.strip() for field in row[1]))
