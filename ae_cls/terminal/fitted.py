"""Text broken between words where a terminal's line is full."""

import os
import re
import textwrap
from typing import Protocol, runtime_checkable

_NARROWEST = 20  # columns; a terminal of fewer, or of none, has not said its size
_TWO_COLUMNS = re.compile(r" *\S.*? {2,}(?=\S)")
_COMMAND = re.compile(r" *(ae-cls|eval|usage:) ")


@runtime_checkable
class Stream(Protocol):
    """What is written to, perhaps a terminal."""

    def isatty(self) -> bool: ...

    def fileno(self) -> int: ...


def fitted(text: str, stream: Stream) -> str:
    """The text for this stream: at a terminal broken to its width, in a pipe or file as it is."""
    if not stream.isatty():
        return text
    columns = os.get_terminal_size(stream.fileno()).columns
    return text if columns < _NARROWEST else broken(text, columns)


def broken(text: str, columns: int) -> str:
    """What is longer than a line goes on below where it began, in the second column if it has one.

    Commands to copy stay whole, and so do words such as paths.
    """
    return "\n".join(_broken(line, columns) for line in text.split("\n"))


def _broken(line: str, columns: int) -> str:
    if len(line) <= columns or _COMMAND.match(line):
        return line
    first = _TWO_COLUMNS.match(line)
    begins = len(first.group()) if first else 0
    indent = len(line) - len(line.lstrip())
    below = begins if 0 < begins <= columns // 2 else indent + 2
    return textwrap.fill(
        line, columns, subsequent_indent=" " * below, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
