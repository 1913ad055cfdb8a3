"""How far a sweep is, job by job, while it runs and afterwards."""

from datetime import UTC, datetime
from pathlib import Path

from ae_cls.jobs.record import Job, Record, SweepFolder
from ae_cls.report.table import StatusRow
from ae_cls.run.folder import LOG

WRONG = ("failed", "died", "stopped")
_TAIL = 4096  # bytes of a log


def status_rows(folder: SweepFolder, *, runs: bool) -> list[StatusRow]:
    """One row a job, in a sweep that a process runs or none."""
    return [_row(job, folder.record(job.name), runs=runs) for job in folder.jobs()]


def _row(job: Job, record: Record, *, runs: bool) -> StatusRow:
    is_left = record.state == "waiting" and not runs
    return StatusRow(
        words=job.words,
        state="not started" if is_left else record.in_words,
        since=_since(record),
        doing=_last_line(record) if record.state == "running" else "",
        reason="" if record.state == "waiting" else record.reason,
    )


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
    said = [line.split(" INFO ", 1)[1] for line in lines if " INFO " in line]
    return said[-1] if said else "begins"
