"""One job of a sweep: what is missing is done, in a folder of its own."""

import hashlib
import json
import logging
import sys
import time
import traceback
from pathlib import Path

from omegaconf import DictConfig

from ae_cls import experiment, runner
from ae_cls.cli.compose import plain_values
from ae_cls.cli.exits import BUG
from ae_cls.cli.sweep_record import Record, attempts, keep_record, keep_traceback, planned_words
from ae_cls.errors import Refusal, StorageError
from ae_cls.experiment import Described
from ae_cls.interrupt import INTERRUPTED
from ae_cls.store.run_folder import read_metrics, read_status

_LOG = logging.getLogger(__name__)


def run_in_sweep(command: str, config: DictConfig, sweep: Path) -> None:
    """Do what is missing of one job, and write down how it went.

    A mistake or a bug ends this job alone; a full disk or a signal ends the sweep.
    """
    described = experiment.read(experiment.COMMANDS[command], plain_values(config, command))
    planned = planned_words(sweep, digest(described))
    folder, done = _folder_of(sweep, planned.name)
    _LOG.info("job: %s%s", " ".join(planned.words), " (finished before)" if done else "")
    record, started = Record("stopped", code=INTERRUPTED, reason="interrupted"), time.monotonic()
    try:
        record = _finished_before(folder) if done else _carried_out(command, described, folder)
    except Exception as error:
        record = Record("failed", code=BUG, reason=f"{type(error).__name__}: {error}")
        keep_traceback(sweep, planned.name, traceback.format_exc())
    finally:
        seconds = 0.0 if done else time.monotonic() - started
        keep_record(sweep, planned.name, record, folder, seconds)
    if record.code == StorageError.code:
        sys.exit(record.code)


def digest(described: Described) -> str:
    """A hash of all that the job was told, but not of where its folder is."""
    told = described.model_dump(mode="json", exclude={"folder"})
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]


def _folder_of(sweep: Path, name: str) -> tuple[Path, bool]:
    """The job's finished folder, else a new one: what an earlier attempt left is not in the way."""
    there = attempts(sweep, name)
    for folder in there:
        if read_status(folder)["state"] == "finished":
            return folder, True
    return sweep / (f"{name}-{len(there) + 1}" if there else name), False


def _finished_before(folder: Path) -> Record:
    return Record("skipped", metrics=read_metrics(folder))


def _carried_out(command: str, described: Described, folder: Path) -> Record:
    own = described.model_copy(update={"folder": str(folder)})
    try:
        return Record("finished", metrics=runner.COMMANDS[command](own).metrics)
    except Refusal as refusal:
        _LOG.error("%s", refusal.block())
        return Record("failed", code=refusal.code, reason=refusal.what)
