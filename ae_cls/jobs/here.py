"""Jobs on this machine, N at a time, each in a process of its own."""

import logging
import multiprocessing.connection
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from typing import final

from ae_cls.errors import StorageError
from ae_cls.interrupt import INTERRUPTED, TERMINATED
from ae_cls.jobs.process import GRACE, how_ended, import_ahead, kill, start
from ae_cls.jobs.record import Record, died, finished_before
from ae_cls.jobs.work import Conditions, Job, Work

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

    One thread waits for all: a full disk or a signal lets no further job begin.

    Raises:
        KeyboardInterrupt, SystemExit: a signal came; no job is left running.
    """
    import_ahead()
    waiting, running = deque(work.jobs), list[Running]()
    try:
        while waiting or running:
            if work.signals.code:
                _end(work, running)
                work.signals.end_if_any()
            while waiting and len(running) < at_once and not work.signals.code:
                _begin(work, waiting.popleft(), running, conditions)
            for ended in _ended(running):
                running.remove(ended)
                record = _settled(work, ended)
                _say_end(ended.job, record, quiet=conditions.quiet)
                if record.code == StorageError.code:
                    waiting.clear()
    finally:  # also when the wait is broken off from outside, as by a cluster's time limit
        _end(work, running)


def _begin(work: Work, job: Job, running: list[Running], conditions: Conditions) -> None:
    done = finished_before(work.folder, job.planned)
    if done:
        work.folder.keep(job.name, done)
    if done or not conditions.quiet:
        _LOG.info("job: %s%s", job.in_words, " (finished before)" if done else "")
    if not done:
        running.append(Running(job, start(work, job, conditions)))


def _ended(running: Sequence[Running]) -> list[Running]:
    """Those that have ended, after a short wait for one."""
    if not running:
        return []
    over = multiprocessing.connection.wait([each.process.sentinel for each in running], _LOOK)
    return [each for each in running if each.process.sentinel in over]


def _settled(work: Work, ended: Running) -> Record:
    """The job's record, written here when its process could not."""
    code, process = _released(ended.process)
    record = work.folder.record(ended.job.name)
    is_its_own = record.owner is None or record.owner.process == process
    if record.is_over and record.state != "died" and is_its_own:
        return record
    work.folder.keep(ended.job.name, replace(died(how_ended(code)), folder=record.folder))
    return work.folder.record(ended.job.name)


def _released(process: BaseProcess) -> tuple[int, int | None]:
    """Exit code and number of a process that has ended: a thousand must hold no files open."""
    process.join()
    code, number = process.exitcode, process.pid
    process.close()
    return code or 0, number


def _say_end(job: Job, record: Record, *, quiet: bool) -> None:
    if record.state == "died" or quiet:
        reason = f": {record.reason}" if record.reason else f" in {record.seconds:.1f} s"
        _LOG.info("%s: %s%s", job.in_words, record.in_words, reason)


def _end(work: Work, running: list[Running]) -> None:
    """Let the jobs save what they have, then kill what is left; their records say so."""
    if not running:
        return
    _LOG.warning("no further job begins; those under way save what they have")
    for each in running:
        each.process.terminate()
    deadline = time.monotonic() + GRACE
    while running and time.monotonic() < deadline and not work.signals.is_urgent:
        for ended in _ended(running):
            running.remove(ended)
            _keep_stopped(work, ended)
    why = "at a second signal" if work.signals.is_urgent else f"after {GRACE:.0f} s of saving"
    while running:
        killed = running.pop()
        kill(killed.process)
        _keep_stopped(work, killed, f"killed {why}")


def _keep_stopped(work: Work, ended: Running, reason: str = "") -> None:
    """A signal to the sweep has ended the job, unless it had just ended by itself."""
    _released(ended.process)
    record = work.folder.record(ended.job.name)
    if record.is_done or record.state == "failed":
        return
    code = work.signals.code or TERMINATED
    reason = reason or ("interrupted" if code == INTERRUPTED else "terminated")
    work.folder.keep(ended.job.name, replace(record, state="stopped", code=code, reason=reason))
