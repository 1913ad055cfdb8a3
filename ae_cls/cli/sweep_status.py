"""`ae-cls sweep-status`: how far a sweep is, while it runs and afterwards."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ae_cls.cli.exits import IN_PART, complain
from ae_cls.cli.parser import Parser
from ae_cls.cli.sweep_owner import owner_of
from ae_cls.cli.sweep_record import PLAN, Planned, Record, planned_jobs, record_of
from ae_cls.errors import UsageError
from ae_cls.report.table import StatusRow, print_table, status_table

SUMMARY = "how far a sweep is, job by job"
_EPILOG = """\
Exit code 0, or 8 when a job has failed, died or was stopped.

  ae-cls sweep-status                              # the sweep begun last below outputs/run
  ae-cls sweep-status outputs/run/sweep-0123abcd
"""
LOG = "run.log"
"""As `store.run_folder` names it; a test compares them, for importing that imports torch."""
_TAIL = 4096  # bytes of a log


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
    if not (folder / PLAN).is_file():
        raise UsageError(
            "there is no sweep in this folder", where=str(folder),
            fix="the folder that ae-cls run -m names in its first line",
        )  # fmt: skip
    owner = owner_of(folder)
    runs = owner is not None and not owner.is_gone()
    rows = [_row(folder, job, runs=runs) for job in planned_jobs(folder)]
    print_table(status_table(rows, folder))
    complain(f"{owner} runs this sweep" if runs else "no process runs this sweep")
    return IN_PART if any(row["state"] in {"failed", "died", "stopped"} for row in rows) else 0


def _newest() -> Path:
    found = sorted(Path("outputs/run").glob(f"sweep-*/{PLAN}"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise UsageError(
            "there is no sweep below outputs/run", fix="ae-cls sweep-status FOLDER names another"
        )
    return found[-1].parent


def _row(folder: Path, job: Planned, *, runs: bool) -> StatusRow:
    record = record_of(folder, job.name)
    return StatusRow(
        words=job.words,
        state=_state(record, runs=runs),
        since=_since(record),
        doing=_last_line(record) if record.state == "running" else "",
        reason="" if record.state == "waiting" else record.reason,
    )


def _state(record: Record, *, runs: bool) -> str:
    return "not started" if record.state == "waiting" and not runs else record.in_words


def _since(record: Record) -> str:
    """How long a job has run, or took."""
    if record.state == "running":
        begun = datetime.fromisoformat(record.started)
        return f"{(datetime.now(UTC) - begun).total_seconds():.0f} s so far"
    return f"{record.seconds:.1f} s" if record.state in {"finished", "failed", "stopped"} else ""


def _last_line(record: Record) -> str:
    """Of the run's log, without date and level: the stage and epoch it is at."""
    if record.folder is None or not (Path(record.folder) / LOG).is_file():
        return "loading images"
    with (Path(record.folder) / LOG).open("rb") as file:
        file.seek(max(file.seek(0, 2) - _TAIL, 0))
        lines = file.read().decode(errors="replace").splitlines()
    told = [line.split(" INFO ", 1)[1] for line in lines if " INFO " in line]
    return told[-1] if told else "begins"
