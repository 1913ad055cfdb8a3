"""One job of a sweep, in the process that is there for it alone: what is missing is done."""

import faulthandler
import hashlib
import json
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ae_cls.cli.exits import BUG, guarded
from ae_cls.cli.sweep_owner import is_stopped
from ae_cls.cli.sweep_record import (
    Conditions,
    Planned,
    Record,
    claim_of,
    conditions_of,
    keep_record,
    keep_start,
    log_of,
    planned_words,
    record_of,
)
from ae_cls.compute import limit_threads
from ae_cls.errors import AeClsError, ModelFileError, StorageError
from ae_cls.experiment.common import HOW, WHERE, CommonKeys
from ae_cls.experiment.descriptions import COMMANDS
from ae_cls.experiment.read import read
from ae_cls.interrupt import INTERRUPTED, TERMINATED, end_on_signals, last_words
from ae_cls.jobs.commands import COMMANDS as CARRY_OUT
from ae_cls.report.terminal import log_to_stderr
from ae_cls.run.folder import CONFIG, read_status
from ae_cls.saved.use import read_metrics
from ae_cls.store.files import cannot_write, read_json
from ae_cls.store.lock import Lock, Owner

_LOG = logging.getLogger(__name__)
_LOOK = 0.2  # seconds between two looks at another process


def carry_out(
    command: str,
    plain: dict[str, Any],
    sweep: Path,
    conditions: Conditions,
    tell: Callable[[str], None],
) -> None:
    """Live for one job and end the process.

    Args:
        command: a word that Hydra composes.
        plain: the composed config.
        sweep: folder of the sweep, with its plan.
        conditions: of all its jobs.
        tell: gets the job's name, as soon as it is known.
    """
    _stand_alone(conditions.owner)
    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system, which a kill leaves
    log_to_stderr()
    if conditions.threads is not None:
        limit_threads(conditions.threads)

    def work() -> int:
        described = read(COMMANDS[command], plain)
        job = planned_words(sweep, digest(described))
        tell(job.name)
        return _done_once(command, described, sweep, job, conditions)

    sys.exit(guarded(work))


def digest(described: CommonKeys) -> str:
    """A hash of all that the job was told, but not of where and how it is carried out."""
    told = described.model_dump(mode="json", exclude={*WHERE, *HOW})
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


def _stand_alone(owner: Owner | None) -> None:
    """Signals are meant for this job alone, and it ends with those who wait for it."""
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C at the terminal reaches the sweep, which passes it on
    end_on_signals()
    threading.Thread(target=_end_with, args=(owner,), daemon=True).start()


def _end_with(owner: Owner | None) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    while not multiprocessing.connection.wait([parent.sentinel], _LOOK * 5):
        if owner and owner.is_gone():
            break
    os.kill(os.getpid(), signal.SIGTERM)


def _done_once(
    command: str, described: CommonKeys, sweep: Path, job: Planned, conditions: Conditions
) -> int:
    claim = claim_of(sweep, job.name)
    try:
        if not _had(claim, sweep, job):
            return 0
        if not (record_of(sweep, job.name).is_over or is_stopped(sweep)):
            with _own_log(log_of(sweep, job.name), quiet=conditions.quiet):
                _do_what_is_missing(command, described, sweep, job, conditions)
        return 0
    finally:
        claim.release()


def _had(claim: Lock, sweep: Path, job: Planned) -> bool:
    """Whether it is for this process to do the job; what is left of an earlier call ends first."""
    if claim.take():
        return True
    _LOG.info("%s is at this job: %s", claim.owner(), " ".join(job.words))
    while record_of(sweep, job.name).state != "running":  # else it is an equal job of this call
        time.sleep(_LOOK)
        if claim.take():
            return True
    return False


@contextmanager
def _own_log(path: Path, *, quiet: bool) -> Iterator[None]:
    """Takes how the process crashes and, with `quiet`, all that it says; goes away empty."""
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise cannot_write(path, error) from error
    with file:
        faulthandler.enable(file)
        if quiet:
            os.dup2(file.fileno(), 2)
        yield
        faulthandler.disable()
    if path.stat().st_size == 0:
        path.unlink()


def _do_what_is_missing(
    command: str, described: CommonKeys, sweep: Path, job: Planned, conditions: Conditions
) -> None:
    """Do it, and write down how it goes and went."""
    folder, done = _folder_of(sweep, job.name, digest(described))
    _LOG.info("job: %s%s", " ".join(job.words), " (finished before)" if done else "")
    if done:
        keep_record(sweep, job.name, _finished_before(sweep, folder), folder, 0.0)
        return
    keep_start(sweep, job.name, folder)
    started = time.monotonic()

    def keep(record: Record) -> None:
        if conditions_of(sweep).call == conditions.call:  # else a later call tells its own story
            keep_record(sweep, job.name, record, folder, time.monotonic() - started)

    with last_words(lambda code: keep(_stopped(code))):
        keep(_ended(command, described, sweep, folder, log_of(sweep, job.name)))


def _ended(command: str, described: CommonKeys, sweep: Path, folder: Path, log: Path) -> Record:
    try:
        if is_stopped(sweep):  # before the start was written down, the signal had no address
            return _stopped(INTERRUPTED)
        return _carried_out(command, described, folder, log)
    except KeyboardInterrupt:
        return _stopped(INTERRUPTED)
    except SystemExit:
        return _stopped(TERMINATED)


def _stopped(code: int) -> Record:
    reason = "interrupted" if code == INTERRUPTED else "terminated"
    return Record("stopped", code=code, reason=reason)


def _folder_of(sweep: Path, name: str, digest: str) -> tuple[Path, bool]:
    """The finished folder of an equal job of any sweep or search, else its own."""
    for folder in [sweep / name, *sorted(sweep.parent.glob(f"*/*-{digest}"))]:
        if _is_finished(folder):
            return folder, True
    return sweep / name, False


def _is_finished(folder: Path) -> bool:
    try:
        return read_status(folder)["state"] == "finished"
    except StorageError:
        return False  # damaged: whoever needs it will say so


def _finished_before(sweep: Path, folder: Path) -> Record:
    elsewhere = "" if folder.parent == sweep else f"in {folder}"
    try:
        return Record("skipped", metrics=read_metrics(folder), reason=elsewhere)
    except StorageError as error:
        damaged = f"{error.where} is damaged; without {folder} the job is done again"
        return Record("failed", code=ModelFileError.code, reason=damaged)


def _carried_out(command: str, described: CommonKeys, folder: Path, log: Path) -> Record:
    try:
        # What was begun in some way is ended in it: no byte shows then that it was stopped.
        begun = read_json(folder / CONFIG)
        how = {key: begun[key] for key in HOW if key in begun}
        own = described.model_copy(update={"folder": str(folder), **how})
        return Record("finished", metrics=CARRY_OUT[command](own).metrics)
    except AeClsError as refusal:
        _LOG.error("%s", refusal.block())
        if not folder.is_dir():
            _keep_traceback(log)
        return Record("failed", code=refusal.code, reason=refusal.what)
    except Exception as error:
        _keep_traceback(log)
        _LOG.error("a bug of ae-cls ended this job; the traceback is in %s", log)
        return Record("failed", code=BUG, reason=f"{type(error).__name__}: {error}")


def _keep_traceback(log: Path) -> None:
    with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
        traceback.print_exc(file=file)
