"""`ae-cls sweep-status`: how far a sweep is, while it runs and afterwards."""

from collections.abc import Sequence
from pathlib import Path

from ae_cls.cli.exits import complain
from ae_cls.cli.parser import Parser, home_path
from ae_cls.errors import IN_PART, UsageError

SUMMARY = "how far a sweep is, job by job"
_EPILOG = """\
Exit code 0, or 8 when a job has failed, died or was stopped.

  ae-cls sweep-status                              # the sweep begun last below outputs/run
  ae-cls sweep-status outputs/run/sweep-0123abcd
"""


def parser() -> Parser:
    """What may stand behind `ae-cls sweep-status`."""
    found = Parser("sweep-status", SUMMARY, epilog=_EPILOG)
    found.add_argument(
        "folder", type=home_path, nargs="?", metavar="FOLDER",
        help="folder of a sweep (default: the one begun last below outputs/run)",
    )  # fmt: skip
    return found


def sweep_status(words: Sequence[str]) -> int:
    """Print one line a job; 0, or 8 when a job has gone wrong.

    Raises:
        UsageError: there is no such sweep.
    """
    given = parser().read(words)
    from ae_cls.jobs.record import PLAN, SweepFolder  # here, as these take time to import
    from ae_cls.jobs.status import WRONG, status_rows
    from ae_cls.report.table import print_table, status_table

    folder = given.folder or _newest(PLAN)
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
    return IN_PART if any(row["state"] in WRONG for row in rows) else 0


def _newest(plan: str) -> Path:
    found = sorted(Path("outputs/run").glob(f"*/{plan}"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise UsageError(
            "there is no sweep below outputs/run", fix="ae-cls sweep-status FOLDER names another"
        )
    return found[-1].parent
