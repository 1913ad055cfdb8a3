"""Text as it stands in a table that people open in a spreadsheet: one spelling in all CSV files."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath
from typing import Protocol, runtime_checkable

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""What spreadsheets may take for the beginning of a formula (OWASP, CSV injection)."""
_HARMLESS = re.compile(r"[=+\-@＝＋－＠]|[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A sign alone, and a number."""
# No UTF-8; control characters but for those that a table may hold; turns of the writing direction.
_ODD = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_LIKE_ESCAPE = re.compile(r"\\(ud[89a-f]|u20|x[0-9a-f]{2})")


@runtime_checkable
class TextFile(Protocol):
    """Where text can be written."""

    def write(self, text: str, /) -> object:
        """Add text."""


def row_writer(file: TextFile) -> Callable[[Sequence[str | int]], object]:
    """What adds a row to a CSV file, with line feeds at its ends."""
    plain = csv.writer(file, lineterminator="\n")
    quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def write(row: Sequence[str | int]) -> object:
        # Python leaves a carriage return bare here, which every reader takes for an end of line.
        is_bare = "\r" in "".join(map(str, row))
        return (quoted if is_bare else plain).writerow(row)

    return write


def csv_bytes(rows: Iterable[Sequence[str | int]]) -> bytes:
    """A whole file; the first row is its heading."""
    text = io.StringIO()
    write = row_writer(text)
    for row in rows:
        write(row)
    return text.getvalue().encode()


def cell(text: str) -> str:
    """`text` with `'` in front where a spreadsheet would take it for a formula.

    A number and a sign alone are none. Different texts stay different.
    """
    text = _in_utf8(text)
    # Quotes in front are looked through: else "=x" and "'=x" would become the same.
    is_formula = text.lstrip("'").startswith(_FORMULA) and not _HARMLESS.fullmatch(text)
    return f"'{text}" if is_formula else text


def number_cell(value: float | None) -> str:
    """A number that reads back as the same; empty for None."""
    return "" if value is None else repr(value)


def path_cell(path: PurePath | str) -> str:
    """A path, with `./` in front where a spreadsheet would take it for a formula: the same file."""
    text = _in_utf8(str(path))
    return f"./{text}" if text.startswith(_FORMULA) else text


def probability_columns(class_names: Sequence[str]) -> list[str]:
    """The header of the probabilities: `p_` and each class as `cell` spells it."""
    return [f"p_{cell(name)}" for name in class_names]


def _in_utf8(text: str) -> str:
    """Names of files may be any bytes.

    What is not UTF-8, and what would command a terminal, is an escape: `\\udcff`, `\\x1b`.
    """
    if _ODD.search(text) or _LIKE_ESCAPE.search(text):
        text = text.replace("\\", "\\\\")  # or such an escape and a name that looks like one meet
    return _ODD.sub(lambda odd: odd[0].encode("unicode_escape").decode(), text)
