"""How far a study is, while it runs: a table that is written over, or lines in a pipe."""

import logging
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ae_cls.jobs.record import Record, SweepFolder
from ae_cls.report.study_table import CellRow, study_table
from ae_cls.study.cells import Cell
from ae_cls.terminal.duration import roughly

_LOOK = 1.0  # seconds between two looks at the records
_LINES = logging.getLogger("ae_cls.jobs")


@final
@dataclass
class Progress:
    """The jobs of a study, and how those went that are over.

    Attributes:
        folder: of the study.
        cells: by the name of their job.
        estimates: seconds that each was thought to take.
        over: how the jobs went that are over.
    """

    folder: SweepFolder
    cells: Mapping[str, Cell]
    estimates: Mapping[str, float]
    over: dict[str, Record] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    def rows(self) -> list[CellRow]:
        """One for each job, in their order."""
        return [_row(cell, self._record(name)) for name, cell in self.cells.items()]

    def line(self) -> str:
        """How many are over, and for how long the others will take."""
        return f"{len(self.over)} of {len(self.cells)} runs, about {roughly(self._left())} left"

    def _left(self) -> float:
        """The estimate of what is left, corrected by how true that of the others was."""
        took, thought = time.monotonic() - self.begun, 0.0
        for name, record in self.over.items():
            thought += self.estimates[name] if record.state != "skipped" else 0.0
        left = sum(self.estimates[name] for name in self.cells if name not in self.over)
        return left * (took / thought if thought else 1.0)

    def _record(self, name: str) -> Record | None:
        """Each is read until it is over, and then no more."""
        if name not in self.over:
            record = self.folder.record(name)
            if not record.is_over:
                return None
            self.over[name] = record
        return self.over[name]


@contextmanager
def shown(progress: Progress) -> Iterator[None]:
    """While the body runs, a table on a terminal; elsewhere the lines of the jobs as they end."""
    if not sys.stderr.isatty():
        yield
        return
    level = _LINES.level
    _LINES.setLevel(logging.WARNING)
    stop = threading.Event()
    with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:
        thread = threading.Thread(target=_keep_showing, args=(live, progress, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            _LINES.setLevel(level)


def _keep_showing(live: Live, progress: Progress, stop: threading.Event) -> None:
    while not stop.wait(_LOOK):
        picture = Group(study_table(progress.rows()), Text(progress.line()))
        live.update(picture, refresh=True)


def _row(cell: Cell, record: Record | None) -> CellRow:
    is_done = record is not None and record.is_done
    accuracy = record.metrics["test"]["accuracy"] if record and is_done else None
    return CellRow(cell.arm.name, cell.budget.title, accuracy, record is not None and not is_done)
