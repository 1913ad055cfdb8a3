"""Jobs on this machine, N at a time, each in a process of its own."""

import logging
import multiprocessing.connection
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import final

from ae_cls.errors import StorageError
from ae_cls.jobs import process
from ae_cls.jobs.record import Job, Record
from ae_cls.jobs.work import GRACE, Conditions, Work

_LOG = logging.getLogger(__name__)
_LOOK = 0.1  # seconds between two looks at the signals that have come


@final
@dataclass(frozen=True)
class Running:
    """A job and its process."""

    job: Job
    process: BaseProcess


def carry_out_here(work: Work, at_once: int, conditions: Conditions) -> None:
    """Carry out jobs; what ends the process of one ends that job alone.

    One thread waits for all of them: a full disk or a signal lets no further job begin.

    Raises:
        KeyboardInterrupt, SystemExit: a signal came; no job is left running.
    """
    process.import_ahead()
    waiting, running = deque(work.jobs), list[Running]()
    try:
        while (waiting or running) and not work.signals.code:
            while waiting and len(running) < at_once and not work.signals.code:
                _begin(work, waiting.popleft(), running, conditions)
            for ended in _ended(running):
                running.remove(ended)
                record = _settled(work, ended)
                work.tell_end(ended.job, quiet=conditions.quiet)
                if record.code == StorageError.code:
                    waiting.clear()
    finally:  # also when the wait is broken off from outside, as by a cluster's time limit
        _end(work, running)
    work.signals.end_if_any()


def _begin(work: Work, job: Job, running: list[Running], conditions: Conditions) -> None:
    if work.is_done(job):
        return
    if not conditions.quiet:
        _LOG.info("job: %s", job)
    args = (work.command, job, work.folder.path, conditions)
    running.append(Running(job, process.begin(_in_process, *args)))


def _in_process(command: str, job: Job, folder: Path, conditions: Conditions) -> None:
    from ae_cls.jobs.worker import work_alone  # here, as it imports torch

    work_alone(command, job, folder, conditions)


def _ended(running: Sequence[Running]) -> list[Running]:
    """Those that have ended, after a short wait for one."""
    if not running:
        return []
    over = multiprocessing.connection.wait([run.process.sentinel for run in running], _LOOK)
    return [run for run in running if run.process.sentinel in over]


def _settled(work: Work, ended: Running) -> Record:
    """The job's record, written here when its process could not."""
    code, number = process.end(ended.process)
    record = work.folder.record(ended.job.name)
    is_its_own = record.owner is None or record.owner.process == number
    if record.is_over and record.state != "died" and is_its_own:
        return record
    return work.keep_death(ended.job, process.how_ended(code))


def _end(work: Work, running: list[Running]) -> None:
    """Let the jobs save what they have, then kill what is left; their records say so."""
    if not running:
        return
    _LOG.warning("no further job begins; those under way save what they have")
    for run in running:
        if work.folder.record(run.job.name).state == "running":
            run.process.terminate()
        else:  # it has nothing to save, and may not listen yet
            process.kill(run.process)
    deadline = time.monotonic() + GRACE
    while running and time.monotonic() < deadline and not work.signals.is_urgent:
        for ended in _ended(running):
            running.remove(ended)
            process.end(ended.process)
            work.keep_stopped(ended.job)
    why = "at the second signal" if work.signals.is_urgent else f"it did not end in {GRACE:.0f} s"
    while running:
        killed = running.pop()
        process.kill(killed.process)
        process.end(killed.process)
        work.keep_stopped(killed.job, f"killed: {why}")
