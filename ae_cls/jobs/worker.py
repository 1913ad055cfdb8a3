"""One job, or several of a lot, in the process that is there for them alone."""

import faulthandler
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from ae_cls.dataset.read import held
from ae_cls.errors import BUG, AeClsError
from ae_cls.experiment.common import HOW
from ae_cls.experiment.descriptions import COMMANDS
from ae_cls.experiment.read import read
from ae_cls.interrupt import INTERRUPTED, TERMINATED, end_on_signals, last_words
from ae_cls.jobs.commands import COMMANDS as CARRY_OUT
from ae_cls.jobs.process import take_signals
from ae_cls.jobs.record import (
    Job,
    Record,
    SweepFolder,
    finished_before,
    is_finished,
    set_aside,
)
from ae_cls.jobs.work import Conditions, Streak, is_over
from ae_cls.machine.faults import as_ours
from ae_cls.machine.threads import limit_threads
from ae_cls.report.terminal import log_to_stderr
from ae_cls.saved.names import CONFIG
from ae_cls.saved.whole import refuse_other_config
from ae_cls.store.files import cannot_write
from ae_cls.store.lock import Lock, Owner
from ae_cls.store.ours import open_to_write
from ae_cls.store.received import read_json

_LOG = logging.getLogger(__name__)
_LOOK = 0.2  # seconds between two looks at another process
_LOOK_AT_OWNER = 1.0


def work_alone(command: str, lot: Sequence[Job], folder: Path, conditions: Conditions) -> None:
    """Live for one job, or for several that read the same data, and end the process.

    Args:
        command: what the jobs are descriptions of.
        lot: to be carried out, one after another.
        folder: of the sweep.
        conditions: that the place for jobs sets.
    """
    _stand_alone(conditions.owner)
    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system, which a kill leaves
    log_to_stderr()
    if conditions.threads is not None:
        limit_threads(conditions.threads)
    try:
        with held():
            streak = Streak(conditions.fail_fast)
            for job in lot:
                _carry_out(command, job, SweepFolder(folder), quiet=conditions.quiet)
                record = SweepFolder(folder).record(job.name)
                streak.note(record)
                if streak.is_enough or is_over(conditions.until) or not record.lets_others_follow:
                    break
    except AeClsError as error:  # of the records, as what happens to the job stands in them
        print(error.block(), file=sys.stderr, flush=True)
        sys.exit(error.code)


def _stand_alone(owner: Owner | None) -> None:
    """Signals are meant for this job alone, and it ends with those who wait for it."""
    os.setsid()
    end_on_signals()
    take_signals()
    threading.Thread(target=_end_with, args=(owner,), daemon=True).start()


def _end_with(owner: Owner | None) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    while not multiprocessing.connection.wait([parent.sentinel], _LOOK_AT_OWNER):
        if owner and owner.is_gone():
            break
    os.kill(os.getpid(), signal.SIGTERM)


def _carry_out(command: str, job: Job, sweep: SweepFolder, *, quiet: bool) -> None:
    claim = sweep.claim(job.name)
    try:
        _take(claim, job)
        with _own_log(sweep.log(job.name), quiet=quiet):
            # Whoever had the claim may have finished the job.
            if done := finished_before(sweep, job):
                sweep.keep(job.name, done)
            else:
                _set_aside_if_damaged(sweep.run(job.name))
                _do(command, job, sweep)
    finally:
        claim.release()


def _set_aside_if_damaged(run: Path) -> None:
    """What cannot be continued and does not count would be in the way for ever."""
    try:
        if run.is_dir() and not is_finished(run):
            refuse_other_config(run)
    except (AeClsError, OSError):
        set_aside(run)
    else:
        if is_finished(run):
            set_aside(run)


def _take(claim: Lock, job: Job) -> None:
    """What is left of an earlier call of the sweep ends first."""
    if claim.take():
        return
    _LOG.info("waiting for %s, which is still working on %s", claim.owner(), job)
    while not claim.take():
        time.sleep(_LOOK)


@contextmanager
def _own_log(path: Path, *, quiet: bool) -> Iterator[None]:
    """Takes how the process crashes and, with `quiet`, all that it says; goes away empty."""
    try:
        file = os.fdopen(open_to_write(path, os.O_WRONLY | os.O_APPEND), "a", encoding="utf-8")
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


def _do(command: str, job: Job, sweep: SweepFolder) -> None:
    """Do it, and write down how it goes and went."""
    start = Record.begun(sweep.run(job.name))
    sweep.keep(job.name, start)
    clock = time.monotonic()

    def keep(record: Record) -> None:
        seconds = time.monotonic() - clock
        own = replace(record, seconds=seconds, owner=start.owner, started=start.started)
        sweep.keep(job.name, own)

    with last_words(lambda code: keep(_stopped(code))):
        try:
            record = _outcome(command, job, sweep)
        except KeyboardInterrupt:
            record = _stopped(INTERRUPTED)
        except SystemExit:
            record = _stopped(TERMINATED)
        keep(record)


def _stopped(code: int) -> Record:
    return Record(
        "stopped", code=code, reason="interrupted" if code == INTERRUPTED else "terminated"
    )


def _outcome(command: str, job: Job, sweep: SweepFolder) -> Record:
    run = sweep.run(job.name)
    try:
        # What was begun in some way is ended in it: no byte shows then that it was stopped.
        begun_with = read_json(run / CONFIG)
        how = {key: begun_with[key] for key in HOW if key in begun_with}
        described = read(COMMANDS[command], {**job.plain, "folder": str(run), **how})
        return Record("finished", metrics=CARRY_OUT[command](described).metrics)
    except Exception as error:
        log = sweep.log(job.name)
        if ours := as_ours(error):
            _LOG.error("%s", ours.block())
            if not run.is_dir():
                _keep_traceback(log)
            return Record("failed", code=ours.code, reason=ours.what)
        _keep_traceback(log)
        _LOG.error("a bug in ae-cls ended this job; the traceback is in %s", log)
        return Record("failed", code=BUG, reason=f"{type(error).__name__}: {error}")


def _keep_traceback(log: Path) -> None:
    with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
        traceback.print_exc(file=file)
