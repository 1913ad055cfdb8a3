"""What a sweep leaves behind: its plan and then how each job went, in sweep.json and as a table.

jobs/NAME.json says how a job goes from its start on; jobs/NAME.log what went wrong where there was
no run folder to say it in.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, final

from ae_cls.errors import TrainingError
from ae_cls.store.files import cannot_write, write_json
from ae_cls.store.lock import Lock, Owner, owner_from, this_process

PLAN = "sweep.json"
_RECORDS, _CLAIMS = "jobs", ".claims"
_WITHOUT_A_WORD = "its process ended without a word"


@final
@dataclass(frozen=True)
class Planned:
    """A job before it starts.

    Attributes:
        words: those that are not the same in all jobs.
        name: of its folder; words and a hash of the resolved config.
        note: what the table says below of a job that is there; mostly nothing.
    """

    words: tuple[str, ...]
    name: str
    note: str = ""


@final
@dataclass(frozen=True)
class Conditions:
    """What the launcher means for each job.

    Attributes:
        threads: of a job that names none; null: all cores.
        quiet: what a job says goes to its log, as several speak at once.
        owner: process with which the jobs end; null: they outlive it.
        call: tells this call of the sweep from every other.
    """

    threads: int | None = None
    quiet: bool = False
    owner: Owner | None = None
    call: str = field(default_factory=lambda: uuid.uuid4().hex)


@final
@dataclass(frozen=True)
class Record:
    """How a job went, or goes.

    Attributes:
        state: running; finished, skipped (it was finished before), failed, stopped (by a signal) or
            died (its process ended without a word); waiting where there is no record.
        folder: its run folder; null when it ended before it had one.
        metrics: as in metrics.json; empty unless finished or skipped.
        seconds: that it took in this call; 0 when skipped.
        code: the exit code that it would have had alone.
        reason: why it is not finished.
        owner: the process that carries it out, or did.
        started: date and time, UTC.
    """

    state: str
    folder: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    code: int = 0
    reason: str = ""
    owner: Owner | None = None
    started: str = ""

    @property
    def is_done(self) -> bool:
        """Whether there are results."""
        return self.state in {"finished", "skipped"}

    @property
    def is_cut_short(self) -> bool:
        """Whether it ended with those who waited for it, and not by itself."""
        return self.state == "stopped" or self.reason == _WITHOUT_A_WORD

    @property
    def in_words(self) -> str:
        """The state, as people are told."""
        return "finished before" if self.state == "skipped" else self.state

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it in this call."""
        return self.state not in {"running", "waiting"}


Order = Callable[[Record], tuple[float, ...]]
"""A place in the table for each record."""


@contextmanager
def table_at_the_end(
    folder: Path,
    command: str,
    plan: Sequence[Planned],
    conditions: Conditions | None = None,
    order: Order | None = None,
) -> Iterator[list[Record]]:
    """Write the plan; at the end, however it comes, show, write and yield how each job went.

    Args:
        folder: of the sweep.
        command: a word that Hydra composes.
        plan: the jobs that are known at the beginning.
        conditions: what the launcher means for them.
        order: what the lines of the table are sorted by; None: as planned.
    """
    conditions = conditions or Conditions()
    _begin(folder, command, plan, conditions)
    records: list[Record] = []
    try:
        yield records
    finally:
        jobs = planned_jobs(folder)  # there may be more by now
        records += [record_of(folder, job.name) for job in jobs]
        _show(jobs, records, order)
        _write(folder, command, jobs, records, conditions)
        (folder / "multirun.yaml").unlink(missing_ok=True)  # Hydra's, and never read


def planned_jobs(folder: Path) -> list[Planned]:
    """The plan on disk."""
    return [Planned(tuple(job["words"]), job["name"], job["note"]) for job in _plan(folder)["jobs"]]


def conditions_of(folder: Path) -> Conditions:
    """What the plan on disk says of the launcher."""
    told = _plan(folder)["conditions"]
    return Conditions(**{**told, "owner": owner_from(told["owner"])})


def planned_words(folder: Path, digest: str) -> Planned:
    """What the plan on disk says of the job with this hash: a worker process knows no more."""
    found = [job for job in planned_jobs(folder) if job.name.endswith(digest)]
    return found[0] if found else Planned((), digest)


def add_to_plan(folder: Path, planned: Sequence[Planned]) -> None:
    """Plan more jobs; those that are there already stay as they are.

    Only the owner of the sweep may, and readers see the plan before or after.
    """
    plan = _plan(folder)
    there = {job["name"] for job in plan["jobs"]}
    waiting = asdict(Record("waiting"))
    more = [{**asdict(job), **waiting} for job in planned if job.name not in there]
    write_json(folder / PLAN, {**plan, "jobs": [*plan["jobs"], *more]})


def claim_of(folder: Path, name: str) -> Lock:
    """What the process that carries out a job holds, whoever started it."""
    return Lock(folder / _CLAIMS / name)


def log_of(folder: Path, name: str) -> Path:
    """The job's own log: what it said without a run folder, and how its process crashed."""
    return folder / _RECORDS / f"{name}.log"


def keep_start(folder: Path, name: str, run: Path) -> None:
    """Write down that this process carries out a job."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = Record("running", str(run), owner=this_process(), started=now)
    write_json(_record_file(folder, name), asdict(record))


def keep_record(folder: Path, name: str, record: Record, run: Path, seconds: float) -> None:
    """Write down at once how a job went."""
    where = str(run) if run.is_dir() else None
    told = {**asdict(record), "folder": where, "seconds": round(seconds, 1)}
    write_json(_record_file(folder, name), told)


def keep_death(folder: Path, name: str, reason: str) -> None:
    """Write down that a job's process ended without a word."""
    record = Record("died", code=TrainingError.code, reason=reason)
    keep_record(folder, name, record, folder / name, 0.0)


def forget(folder: Path, name: str) -> None:
    """As if the job had not begun in this call."""
    _record_file(folder, name).unlink(missing_ok=True)


def record_of(folder: Path, name: str) -> Record:
    """How a job goes. One whose process has gone without a word has died."""
    record = _read(folder, name)
    if record.owner and record.owner.is_gone() and record.state == "running":
        record = _read(folder, name)  # its end may have been written since
        if record.state == "running":
            return replace(record, state="died", code=TrainingError.code, reason=_WITHOUT_A_WORD)
    return record


def _read(folder: Path, name: str) -> Record:
    try:
        told = json.loads(_record_file(folder, name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Record("waiting", reason="not started")
    return Record(**{**told, "owner": owner_from(told["owner"])})


def _record_file(folder: Path, name: str) -> Path:
    return folder / _RECORDS / f"{name}.json"


def _plan(folder: Path) -> dict[str, Any]:
    return json.loads((folder / PLAN).read_text(encoding="utf-8"))


def _begin(folder: Path, command: str, plan: Sequence[Planned], conditions: Conditions) -> None:
    try:
        (folder / _RECORDS).mkdir(parents=True, exist_ok=True)
        # What an earlier call wrote down says nothing of this one; finished run folders do.
        for record in (folder / _RECORDS).iterdir():
            record.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error
    _write(folder, command, plan, [Record("waiting") for _ in plan], conditions)


def _write(
    folder: Path,
    command: str,
    plan: Sequence[Planned],
    records: Sequence[Record],
    conditions: Conditions,
) -> None:
    jobs = [{**asdict(job), **asdict(record)} for job, record in zip(plan, records, strict=True)]
    told = {"command": command, "conditions": asdict(conditions), "jobs": jobs}
    write_json(folder / PLAN, told)


def _show(plan: Sequence[Planned], records: Sequence[Record], order: Order | None) -> None:
    from ae_cls.report.table import SweepRow, print_table, sweep_table

    pairs = list(zip(plan, records, strict=True))
    if order:
        pairs.sort(key=lambda pair: order(pair[1]))
    rows = [
        SweepRow(
            words=job.words,
            state=record.in_words,
            metrics=record.metrics,
            seconds=record.seconds,
            reason="; ".join(filter(None, (record.reason, job.note))),
        )
        for job, record in pairs
    ]
    print_table(sweep_table(rows))
