"""What a sweep leaves behind: its plan and then how each job went, in sweep.json and as a table."""

import itertools
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

from ae_cls.store.files import cannot_write, publish, write_json

_LOG = logging.getLogger(__name__)
_PLAN, _RECORDS = "sweep.json", "jobs"


@final
@dataclass(frozen=True)
class Planned:
    """A job before it starts.

    Attributes:
        words: those that are not the same in all jobs.
        name: of its folder; words and a hash of the resolved config.
    """

    words: tuple[str, ...]
    name: str


@final
@dataclass(frozen=True)
class Record:
    """How a job went.

    Attributes:
        state: finished, skipped (it was finished before), failed or stopped; where the job wrote no
            record: died or waiting.
        folder: its run folder; null when it ended before it had one.
        metrics: as in metrics.json; empty unless finished or skipped.
        seconds: that it took in this call; 0 when skipped.
        code: the exit code that it would have had alone.
        reason: why it is not finished.
    """

    state: str
    folder: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    code: int = 0
    reason: str = ""

    @property
    def is_done(self) -> bool:
        """Whether there are results."""
        return self.state in {"finished", "skipped"}


@contextmanager
def table_at_the_end(folder: Path, command: str, plan: Sequence[Planned]) -> Iterator[list[Record]]:
    """Write the plan; at the end, however it comes, show, write and yield how each job went."""
    _begin(folder, command, plan)
    records: list[Record] = []
    try:
        yield records
    finally:
        records += [_record_of(folder, job.name) for job in plan]
        _write(folder, command, plan, records)
        (folder / "multirun.yaml").unlink(missing_ok=True)  # Hydra's, and never read
        _show(plan, records)


def planned_words(folder: Path, digest: str) -> Planned:
    """What the plan on disk says of the job with this hash: a worker process knows no more."""
    plan = json.loads((folder / _PLAN).read_text(encoding="utf-8"))
    found = [job for job in plan["jobs"] if job["name"].endswith(digest)]
    return Planned(tuple(found[0]["words"]), found[0]["name"]) if found else Planned((), digest)


def attempts(folder: Path, name: str) -> list[Path]:
    """The run folders of a job that are there, the newest last."""
    numbered = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return list(itertools.takewhile(Path.exists, (folder / each for each in numbered)))


def keep_record(folder: Path, name: str, record: Record, run: Path, seconds: float) -> None:
    """Write down at once how a job went."""
    where = str(run) if run.is_dir() else None
    told = {**asdict(record), "folder": where, "seconds": round(seconds, 1)}
    write_json(folder / _RECORDS / f"{name}.json", told)


def keep_traceback(folder: Path, name: str, text: str) -> None:
    """Write down where a bug is."""
    log = folder / _RECORDS / f"{name}.log"
    publish(log, text.encode(errors="backslashreplace"))
    _LOG.error("a bug of ae-cls ended this job; the traceback is in %s", log)


def _begin(folder: Path, command: str, plan: Sequence[Planned]) -> None:
    try:
        (folder / _RECORDS).mkdir(parents=True, exist_ok=True)
        # What an earlier call wrote down says nothing of this one; finished run folders do.
        for record in (folder / _RECORDS).iterdir():
            record.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error
    _write(folder, command, plan, [Record("waiting") for _ in plan])


def _write(folder: Path, command: str, plan: Sequence[Planned], records: Sequence[Record]) -> None:
    jobs = [
        {"words": job.words, "name": job.name, **asdict(record)}
        for job, record in zip(plan, records, strict=True)
    ]
    write_json(folder / _PLAN, {"command": command, "jobs": jobs})


def _record_of(folder: Path, name: str) -> Record:
    path = folder / _RECORDS / f"{name}.json"
    if path.is_file():
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    if there := attempts(folder, name):
        return Record("died", str(there[-1]), reason="its process ended without a word")
    return Record("waiting", reason="not started")


def _show(plan: Sequence[Planned], records: Sequence[Record]) -> None:
    from ae_cls.report.table import SweepRow, print_table, sweep_table

    rows = [
        SweepRow(
            words=job.words,
            state="finished" if record.is_done else record.state,
            metrics=record.metrics,
            seconds=record.seconds,
            reason=record.reason,
        )
        for job, record in zip(plan, records, strict=True)
    ]
    print_table(sweep_table(rows))
