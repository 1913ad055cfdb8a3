"""The lines of `ae-cls sweep-status`."""

from datetime import UTC, datetime
from pathlib import Path

from ae_cls.cli.sweep_record import Planned, Record, record_of
from ae_cls.report.table import StatusRow

LOG = "run.log"
"""As `store.run_folder` names it; a test compares them, for importing that imports torch."""
_TAIL = 4096  # bytes of a log


def row_of(folder: Path, job: Planned, *, runs: bool) -> StatusRow:
    """How far a job is, in a sweep that a process runs or none."""
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
