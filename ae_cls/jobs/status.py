"""Jobs as rows of a table: how far a sweep is while it runs, and how it ended."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ae_cls.jobs.record import Job, Record, SweepFolder
from ae_cls.report.jobs_table import JobRow
from ae_cls.run.folder import LOG
from ae_cls.store.received import opened

WRONG = ("failed", "died", "stopped")
_TAIL = 4096  # bytes of a log


def status_rows(folder: SweepFolder, *, runs: bool) -> list[JobRow]:
    """One row a job, in a sweep that a process runs or none."""
    return [_row(job, record, runs=runs) for job, record in folder.ended()]


def ended_row(job: Job, record: Record) -> JobRow:
    """How a job ended."""
    return JobRow(
        keys=job.keys,
        state=record.in_words,
        metrics=record.metrics,
        seconds=record.seconds if record.state in {"finished", "failed", "stopped"} else None,
        reason="; ".join(filter(None, (record.reason, job.note))),
    )


def _row(job: Job, record: Record, *, runs: bool) -> JobRow:
    row = ended_row(job, record)
    if record.state == "running":
        return replace(row, seconds=_so_far(record), doing=_last_line(record))
    if record.state == "waiting":
        return replace(row, state="waiting" if runs else "not started", reason="")
    return row


def _so_far(record: Record) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(record.started)).total_seconds()


def _last_line(record: Record) -> str:
    """Of the run's log, without date and level: the stage and epoch it is at."""
    if record.folder is None or not (Path(record.folder) / LOG).is_file():
        return "loading images"
    with opened(Path(record.folder) / LOG) as file:
        file.seek(max(file.seek(0, 2) - _TAIL, 0))
        lines = file.read().decode(errors="replace").splitlines()
    said = [line.split(" INFO ", 1)[1] for line in lines if " INFO " in line]
    return said[-1] if said else "begins"
