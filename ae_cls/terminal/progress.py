"""A bar at a terminal; elsewhere, where a bar would be noise, a line every ten seconds."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, final

from tqdm import tqdm

from ae_cls.terminal.duration import clock

log = logging.getLogger(__name__)

BETWEEN_LINES = 10.0
"""Seconds: a log is neither silent for minutes nor flooded."""

# The numbers stand before the bar: what does not fit into a narrow terminal is cut at the end.
_FORMAT = "{desc} {n_fmt}/{total_fmt} {unit}, {remaining} left{postfix} {bar} {percentage:3.0f}%"

Item = TypeVar("Item")


@final
class Progress:
    """How far one piece of work is; to be used as a context.

    Args:
        name: of the work, the first word of its lines.
        total: how many there are to do.
        unit: of these, in the plural.
        done: how many were done before.
        shown: whether anything is shown at all.
        line: what a line says in place of name and count, given the time left.
    """

    def __init__(
        self,
        name: str,
        *,
        total: int,
        unit: str,
        done: int = 0,
        shown: bool = True,
        line: Callable[[str], str] | None = None,
    ) -> None:
        self.name, self.total, self.unit, self.done = name, total, unit, done
        self._line = line or self._count
        self._begun_with, self._begun = done, time.monotonic()
        # disable=None: no bar where stderr is no terminal.
        self._bar = tqdm(
            total=total, initial=done, desc=name, unit=unit, leave=False, bar_format=_FORMAT,
            dynamic_ncols=True, disable=None if shown else True,
        )  # fmt: skip
        self._next_line = self._begun + BETWEEN_LINES
        self._has_lines = shown and self._bar.disable

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self, count: int = 1) -> None:
        """So many more are done."""
        self.done += count
        self._bar.update(count)
        if self._has_lines and self.done < self.total and time.monotonic() >= self._next_line:
            log.info("%s", self._line(self.left()))
            self.said()

    def note(self, text: str) -> None:
        """What the bar says behind its numbers from now on."""
        self._bar.set_postfix_str(text)

    def said(self) -> None:
        """A line has just been written: the next one can wait."""
        self._next_line = time.monotonic() + BETWEEN_LINES

    def left(self) -> str:
        """How long it will go on at the pace so far; empty where a bar says so, or none is done."""
        own = self.done - self._begun_with
        if not own or not self._bar.disable:
            return ""
        pace = (time.monotonic() - self._begun) / own
        return f"{clock(pace * (self.total - self.done))} left"

    def _count(self, left: str) -> str:
        return f"{self.name}  {self.done:,}/{self.total:,} {self.unit}  {left}"


def progressing(
    items: Iterable[Item], name: str, *, total: int, unit: str, shown: bool = True
) -> Iterator[Item]:
    """The same items, with the progress of what is done with them."""
    with Progress(name, total=total, unit=unit, shown=shown) as progress:
        for item in items:
            yield item
            progress.advance()
