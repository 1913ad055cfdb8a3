"""Log lines on stderr; results alone go to stdout."""

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from tqdm import tqdm

from ae_cls.cli.sweep_job import Planned, Record
from ae_cls.errors import printable

if TYPE_CHECKING:
    from ae_cls.runner import Result


def log_to_stderr() -> None:
    """Show what the program says while it works, from INFO upwards."""
    logger = logging.getLogger("ae_cls")
    logger.setLevel(logging.DEBUG)  # a run folder's log takes all
    if not any(isinstance(handler, _Lines) for handler in logger.handlers):
        logger.addHandler(_Lines(logging.INFO))


def show_result(result: "Result") -> None:
    """The table that ends a command, with the run folder on its last line."""
    from ae_cls.report.table import print_table, summary_table  # here: rich takes time to import

    if sys.stdout is not None:
        print_table(summary_table(result.metrics, result.seconds, result.folder))


def show_sweep(jobs: Sequence[Planned], records: Sequence[Record]) -> None:
    """The table that ends a sweep: a line a job, whatever became of it."""
    from ae_cls.report.table import SweepRow, print_table, sweep_table

    rows = [
        SweepRow(
            words=job.words,
            state="finished" if record.is_done else record.state,
            metrics=record.metrics,
            seconds=record.seconds,
            reason=record.reason,
        )
        for job, record in zip(jobs, records, strict=True)
    ]
    if sys.stdout is not None:
        print_table(sweep_table(rows))


@final
class _Lines(logging.Handler):
    """Plain lines that do not tear a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is None:
            return
        title = "warning: " if record.levelno == logging.WARNING else ""
        tqdm.write(title + printable(record.getMessage()), file=sys.stderr)
