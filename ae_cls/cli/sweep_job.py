"""One job of a sweep: its folder, and the record that the table at the end is made of."""

import hashlib
import itertools
import json
import logging
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from omegaconf import DictConfig

from ae_cls.cli.compose import plain_values
from ae_cls.cli.exits import BUG, INTERRUPTED
from ae_cls.errors import Refusal, StorageError

if TYPE_CHECKING:
    from ae_cls.experiment import Described

_LOG = logging.getLogger(__name__)

PLAN, RECORDS = "sweep.json", "jobs"


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


def run_in_sweep(command: str, config: DictConfig, sweep: Path) -> None:
    """Do what is missing of one job, and write down how it went.

    A mistake or a bug ends this job alone; a full disk or a signal ends the sweep.
    """
    from ae_cls import experiment  # here, as it imports torch

    described = experiment.read(experiment.COMMANDS[command], plain_values(config, command))
    planned = _planned(sweep, described)
    folder, done = _folder_of(sweep, planned.name)
    _LOG.info("job: %s%s", " ".join(planned.words), " (finished before)" if done else "")
    record, started = Record("stopped", code=INTERRUPTED, reason="interrupted"), time.monotonic()
    try:
        record = _finished_before(folder) if done else _carried_out(command, described, folder)
    except Exception as error:
        record = Record("failed", code=BUG, reason=f"{type(error).__name__}: {error}")
        _keep_traceback(sweep, planned.name)
    finally:
        seconds = 0.0 if done else time.monotonic() - started
        _write(sweep, planned.name, record, folder, seconds)
    if record.code == StorageError.code:
        sys.exit(record.code)


def digest(described: "Described") -> str:
    """A hash of all that the job was told, but not of where its folder is."""
    told = described.model_dump(mode="json", exclude={"folder"})
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]


def attempts(sweep: Path, name: str) -> list[Path]:
    """The folders of a job that are there, the newest last."""
    numbered = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return list(itertools.takewhile(Path.exists, (sweep / each for each in numbered)))


def _planned(sweep: Path, described: "Described") -> Planned:
    """By digest, as a worker process knows no more than the plan on disk."""
    own = digest(described)
    plan = json.loads((sweep / PLAN).read_text(encoding="utf-8"))
    found = [job for job in plan["jobs"] if job["name"].endswith(own)]
    return Planned(tuple(found[0]["words"]), found[0]["name"]) if found else Planned((), own)


def _folder_of(sweep: Path, name: str) -> tuple[Path, bool]:
    """The job's finished folder, else a new one: what an earlier attempt left is not in the way."""
    from ae_cls.store.run_folder import read_status

    there = attempts(sweep, name)
    for folder in there:
        if read_status(folder)["state"] == "finished":
            return folder, True
    return sweep / (f"{name}-{len(there) + 1}" if there else name), False


def _finished_before(folder: Path) -> Record:
    from ae_cls.store.run_folder import read_metrics

    return Record("skipped", metrics=read_metrics(folder))


def _carried_out(command: str, described: "Described", folder: Path) -> Record:
    from ae_cls import runner

    try:
        result = runner.COMMANDS[command](described.model_copy(update={"folder": str(folder)}))
    except Refusal as refusal:
        _LOG.error("%s", refusal.block())
        return Record("failed", code=refusal.code, reason=refusal.what)
    return Record("finished", metrics=result.metrics)


def _keep_traceback(sweep: Path, name: str) -> None:
    from ae_cls.store.files import publish

    log = sweep / RECORDS / f"{name}.log"
    publish(log, traceback.format_exc().encode(errors="backslashreplace"))
    _LOG.error("a bug of ae-cls ended this job; the traceback is in %s", log)


def _write(sweep: Path, name: str, record: Record, folder: Path, seconds: float) -> None:
    from ae_cls.store.files import write_json

    where = str(folder) if folder.is_dir() else None
    told = {**asdict(record), "folder": where, "seconds": round(seconds, 1)}
    write_json(sweep / RECORDS / f"{name}.json", told)
