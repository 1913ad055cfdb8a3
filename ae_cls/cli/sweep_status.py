"""`ae-cls sweep-status`: how far a sweep is, while it runs and afterwards."""

from collections.abc import Sequence
from pathlib import Path

from ae_cls.cli.exits import IN_PART, complain
from ae_cls.cli.parser import Parser
from ae_cls.cli.sweep_owner import owner_of
from ae_cls.cli.sweep_record import PLAN, planned_jobs
from ae_cls.errors import UsageError

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
        "folder", type=Path, nargs="?", metavar="FOLDER",
        help="folder of a sweep (default: the one begun last below outputs/run)",
    )  # fmt: skip
    return found


def sweep_status(words: Sequence[str]) -> int:
    """Print one line a job; 0, or 8 when a job has gone wrong.

    Raises:
        UsageError: there is no such sweep.
    """
    folder = parser().parse_args(words).folder or _newest()
    from ae_cls.cli.sweep_rows import row_of  # here, as rich takes time to import
    from ae_cls.report.table import print_table, status_table

    if not (folder / PLAN).is_file():
        raise UsageError(
            "there is no sweep in this folder", where=str(folder),
            fix="the folder that ae-cls run -m names in its first line",
        )  # fmt: skip
    owner = owner_of(folder)
    runs = owner is not None and not owner.is_gone()
    rows = [row_of(folder, job, runs=runs) for job in planned_jobs(folder)]
    print_table(status_table(rows, folder))
    complain(f"{owner} runs this sweep" if runs else "no process runs this sweep")
    return IN_PART if any(row["state"] in {"failed", "died", "stopped"} for row in rows) else 0


def _newest() -> Path:
    found = sorted(Path("outputs/run").glob(f"*/{PLAN}"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise UsageError(
            "there is no sweep below outputs/run", fix="ae-cls sweep-status FOLDER names another"
        )
    return found[-1].parent
