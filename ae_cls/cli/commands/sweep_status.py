"""`ae-cls sweep-status`: how far a sweep is, while it runs and afterwards."""

from collections.abc import Sequence
from pathlib import Path

from ae_cls.cli.exits import complain
from ae_cls.cli.last import LATEST, add_outputs, named
from ae_cls.cli.parser import Parser, home_path
from ae_cls.errors import IN_PART, UsageError

SUMMARY = "how far a sweep or search is, job by job, with what came out so far"
_EPILOG = """\
Exit code 0, or 8 when a job has failed, died or was stopped.

  ae-cls sweep-status                              # the last one below outputs/run
  ae-cls sweep-status outputs/run/sweep-0123abcd
"""


def parser() -> Parser:
    found = Parser("sweep-status", SUMMARY, epilog=_EPILOG)
    found.add_argument(
        "folder", type=home_path, nargs="?", metavar="FOLDER", default=Path(LATEST),
        help="folder of a sweep or search; or latest (the default), -1, -2 ...",
    )  # fmt: skip
    add_outputs(found)
    return found


def sweep_status(words: Sequence[str]) -> int:
    """Print one line a job; 0, or 8 when a job has gone wrong.

    Raises:
        UsageError: there is no such sweep.
    """
    given = parser().read(words)
    from ae_cls.jobs.last import SWEEP  # here and below, as these take time to import
    from ae_cls.jobs.record import PLAN, SweepFolder
    from ae_cls.jobs.status import WRONG, status_rows
    from ae_cls.report.jobs_table import status_table
    from ae_cls.report.table import print_table

    folder = named(given.folder, given.outputs, SWEEP)
    if not (folder / PLAN).is_file():
        raise UsageError(
            "there is no sweep in this folder", where=str(folder),
            fix="the folder that ae-cls run -m names in its first line",
        )  # fmt: skip
    owner = SweepFolder(folder).owner()
    runs = owner is not None and not owner.is_gone()
    rows = status_rows(SweepFolder(folder), runs=runs)
    print_table(status_table(rows, folder))
    complain(f"{owner} runs this sweep" if runs else "this sweep is not running")
    return IN_PART if any(row.state in WRONG for row in rows) else 0
