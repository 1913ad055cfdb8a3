"""Jobs on this machine, N at a time, each in a process of its own or in one of its lot."""

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
_LARGEST_LOT = 16  # jobs of a process: what starting it costs is divided by so many


@final
@dataclass(frozen=True)
class Running:
    """A process and the jobs that it carries out, one after another; those told of leave."""

    jobs: deque[Job]
    process: BaseProcess


def carry_out_here(work: Work, at_once: int, conditions: Conditions) -> None:
    """Carry out jobs; what ends a process ends the job that it was at, and no other.

    One thread waits for all of them: a full disk or a signal lets no further job begin.

    Raises:
        KeyboardInterrupt, SystemExit: a signal came; no job is left running.
    """
    process.import_ahead()
    waiting, running = deque(work.jobs), list[Running]()
    try:
        while (waiting or running) and not work.signals.code:
            while waiting and len(running) < at_once and not work.signals.code:
                if lot := _next_lot(work, waiting, _lot_size(len(waiting), at_once)):
                    _begin(work, lot, running, conditions)
            for run in running:
                _tell_ended(work, run, conditions)
            for ended in _ended(running):
                running.remove(ended)
                if _settled(work, ended, conditions).code == StorageError.code:
                    waiting.clear()
                else:
                    waiting.extendleft(reversed(ended.jobs))
            if waiting and work.gives_up():
                waiting.clear()
    finally:  # also when the wait is broken off from outside, as by a cluster's time limit
        _end(work, running)
    work.signals.end_if_any()


def _lot_size(waiting: int, at_once: int) -> int:
    """Smaller towards the end, so that no process is left with many jobs while others have none."""
    if at_once == 1:
        return _LARGEST_LOT
    return min(_LARGEST_LOT, -(-waiting // (2 * at_once)))


def _next_lot(work: Work, waiting: deque[Job], most: int) -> list[Job]:
    """The next jobs that one process carries out; none when the next one was finished before."""
    lot = list[Job]()
    while waiting and (not lot or _share(lot[0], waiting[0])) and len(lot) < most:
        job = waiting.popleft()
        if not work.is_done(job):
            lot.append(job)
    return lot


def _share(first: Job, other: Job) -> bool:
    return bool(first.lot) and first.lot == other.lot


def _begin(work: Work, lot: list[Job], running: list[Running], conditions: Conditions) -> None:
    if not conditions.quiet:
        _LOG.info("job: %s", ", ".join(map(str, lot)))
    args = (work.command, lot, work.folder.path, conditions)
    running.append(Running(deque(lot), process.begin(_in_process, *args)))


def _in_process(command: str, lot: list[Job], folder: Path, conditions: Conditions) -> None:
    from ae_cls.jobs.worker import work_alone  # here, as it imports torch

    work_alone(command, lot, folder, conditions)


def _tell_ended(work: Work, run: Running, conditions: Conditions) -> None:
    """Say how the jobs went that a process has finished while it goes on with the others."""
    while len(run.jobs) > 1 and work.folder.record(run.jobs[0].name).lets_others_follow:
        work.tell_end(run.jobs.popleft(), quiet=conditions.quiet)


def _ended(running: Sequence[Running]) -> list[Running]:
    """Those that have ended, after a short wait for one."""
    if not running:
        return []
    over = multiprocessing.connection.wait([run.process.sentinel for run in running], _LOOK)
    return [run for run in running if run.process.sentinel in over]


def _settled(work: Work, ended: Running, conditions: Conditions) -> Record:
    """The record of the last job that the process was at; those behind it stay in `ended`."""
    code, number = process.end(ended.process)
    _tell_ended(work, ended, conditions)
    if code == 0 and not (record := work.folder.record(ended.jobs[0].name)).has_begun:
        return record  # too many before it had failed
    job = ended.jobs.popleft()
    record = _written(work, job, code, number)
    work.tell_end(job, quiet=conditions.quiet)
    return record


def _written(work: Work, job: Job, code: int, number: int) -> Record:
    """The job's record, written here when its process could not."""
    record = work.folder.record(job.name)
    is_its_own = record.owner is None or record.owner.process == number
    if record.is_over and record.state != "died" and is_its_own:
        return record
    return work.keep_death(job, process.how_ended(code))


def _end(work: Work, running: list[Running]) -> None:
    """Let the jobs save what they have, then kill what is left; their records say so."""
    if not running:
        return
    _LOG.warning("no further job begins; those under way save what they have")
    for run in running:
        if any(work.folder.record(job.name).state == "running" for job in run.jobs):
            run.process.terminate()
        else:  # it has nothing to save, and may not listen yet
            process.kill(run.process)
    deadline = time.monotonic() + GRACE
    while running and time.monotonic() < deadline and not work.signals.is_urgent:
        for ended in _ended(running):
            running.remove(ended)
            process.end(ended.process)
            _keep_stopped(work, ended)
    why = "at the second signal" if work.signals.is_urgent else f"it did not end in {GRACE:.0f} s"
    while running:
        killed = running.pop()
        process.kill(killed.process)
        process.end(killed.process)
        _keep_stopped(work, killed, f"killed: {why}")


def _keep_stopped(work: Work, ended: Running, reason: str = "") -> None:
    """Of the job that the process was at; those behind it have not begun."""
    first, *behind = ended.jobs
    at = [job for job in behind if work.folder.record(job.name).state != "waiting"]
    for job in [first, *at]:
        work.keep_stopped(job, reason)
