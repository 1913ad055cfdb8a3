"""How jobs end that were carried out together: their table, and the exit code."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ae_cls.errors import IN_PART, StorageError
from ae_cls.jobs.record import Job, Record, SweepFolder
from ae_cls.jobs.results import results_of
from ae_cls.jobs.status import ended_row

Order = Callable[[Record], tuple[float, ...]]
"""A place in the table for each record."""


def exit_code(records: Sequence[Record]) -> int:
    """Of a sweep or search whose jobs went so."""
    if any(record.code == StorageError.code for record in records):
        return StorageError.code
    return 0 if all(record.is_done for record in records) else IN_PART


@contextmanager
def table_at_the_end(
    folder: SweepFolder, command: str, jobs: Sequence[Job], order: Order | None = None
) -> Iterator[list[Record]]:
    """Write the plan; at the end, however it comes, show, write and yield how each job went.

    Args:
        folder: of the sweep.
        command: what the jobs are descriptions of.
        jobs: those that are known at the beginning.
        order: what the lines of the table are sorted by; None: as planned.
    """
    folder.begin(command, jobs)
    records: list[Record] = []
    try:
        yield records
    except (KeyboardInterrupt, SystemExit) as stop:
        stop.add_note(str(folder.path))  # where there is what has finished
        raise
    finally:
        ended = folder.ended()
        records += [record for _, record in ended]
        folder.end(command, ended)
        results = results_of(folder.path, ended)
        _show(ended, order, results.path)
        results.write()


def _show(ended: Sequence[tuple[Job, Record]], order: Order | None, results: Path) -> None:
    from rich.console import Group  # here, as these take time to import

    from ae_cls.report.jobs_table import jobs_table
    from ae_cls.report.table import print_table, uncut

    pairs = sorted(ended, key=lambda pair: order(pair[1])) if order else ended
    rows = [ended_row(job, record) for job, record in pairs]
    print_table(Group(jobs_table(rows), uncut(str(results))))
