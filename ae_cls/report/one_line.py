"""A table whose rows are one line each, whatever the width: what is too long is cut."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from ae_cls.report.table import empty_table, plain

_GAP = 2  # blanks between two columns
_LEAST = 4  # letters that are left of what is cut: two and two dots
_DOTS = ".."  # and no ellipsis, which not every terminal has


@final
@dataclass(frozen=True)
class Column:
    """A column of such a table.

    Attributes:
        title: its heading.
        cells: one a row.
        justify: left or right.
        may_be_cut: where the terminal is narrow.
    """

    title: str
    cells: Sequence[Text]
    justify: Literal["left", "right"]
    may_be_cut: bool

    @classmethod
    def of_numbers(cls, title: str, cells: Sequence[str]) -> "Column":
        """They stand at the right, and are never cut."""
        return cls(title, [*map(plain, cells)], "right", may_be_cut=False)

    @classmethod
    def of_texts(cls, title: str, cells: Sequence[str]) -> "Column":
        """Anything that was typed or said."""
        return cls(plain(title).plain, [*map(plain, cells)], "left", may_be_cut=True)

    @property
    def width(self) -> int:
        """Of its longest cell."""
        return max(text.cell_len for text in (Text(self.title), *self.cells))

    def cut(self, width: int) -> "Column":
        """The same in so many letters: of the title the beginning is left, of values both ends."""
        if not self.may_be_cut:
            return self
        cells = [Text(_cut(cell.plain, width)) for cell in self.cells]
        return replace(self, title=_cut(self.title, width, at_end=True), cells=cells)


@final
class OneLineRows:
    """Columns as Rich prints them: whole, or as much of them as goes into the width there is."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = _fitted(self.columns, options.max_width)
        table = empty_table(titles=True)
        table.width = _width(columns)  # else Rich would cut columns where the terminal ends
        for column in columns:
            table.add_column(Text(column.title), justify=column.justify, no_wrap=True)
        for cells in zip(*(column.cells for column in columns), strict=True):
            table.add_row(*cells)
        yield table


def _fitted(columns: Sequence[Column], width: int) -> Sequence[Column]:
    if _width(columns) <= width:
        return columns
    names = _shortest_names([column.title for column in columns])
    columns = [replace(column, title=name) for column, name in zip(columns, names, strict=True)]
    longest = min(width, max(column.width for column in columns))
    while _width(columns) > width and longest > _LEAST:
        longest -= 1
        columns = [column.cut(longest) for column in columns]
    return columns


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)


def _shortest_names(names: Sequence[str]) -> list[str]:
    """Of each dotted name the last part, with as many before it as tell it from the others."""
    parts = [re.split(r"[./]", name) for name in names]
    return [_shortest(own, [other for other in parts if other != own]) for own in parts]


def _shortest(own: Sequence[str], others: Sequence[Sequence[str]]) -> str:
    for count in range(1, len(own)):
        if all(other[-count:] != own[-count:] for other in others):
            return ".".join(own[-count:])
    return ".".join(own)


def _cut(text: str, width: int, *, at_end: bool = False) -> str:
    if len(text) <= width:
        return text
    left = width - len(_DOTS)
    end = 0 if at_end else left // 2
    return text[: left - end] + _DOTS + text[len(text) - end :]
