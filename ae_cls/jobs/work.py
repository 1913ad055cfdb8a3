"""Jobs that are to be carried out, under which conditions, and what is written down of each."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

from ae_cls.interrupt import INTERRUPTED, TERMINATED
from ae_cls.jobs.record import Job, Record, SweepFolder, finished_before
from ae_cls.jobs.results import Results
from ae_cls.jobs.signals import Signals
from ae_cls.store.lock import Owner

GRACE = 10.0
"""Seconds that a job has to save what it has, once a signal ends it."""

_LOG = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class Conditions:
    """What the place means for each job.

    Attributes:
        threads: of a job that names none; None: all cores.
        quiet: what a job says goes to its log, as several speak at once.
        owner: process with which the jobs end; None: they outlive it.
        fail_fast: failed jobs in a row after which no further job begins; None: never.
        until: on the monotonic clock, in seconds: no further job begins later; None: no end.
    """

    threads: int | None = None
    quiet: bool = False
    owner: Owner | None = None
    fail_fast: int | None = None
    until: float | None = None


def is_over(until: float | None) -> bool:
    """Whether that time has come."""
    return until is not None and time.monotonic() >= until


@final
class Streak:
    """Jobs that failed one after another.

    Args:
        most: after which no further one is to begin; None: any number.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most, self.length = most, 0

    def note(self, record: Record) -> None:
        """How the next job ended."""
        if record.state in {"failed", "died"}:
            self.length += 1
        elif record.is_done:
            self.length = 0

    @property
    def is_enough(self) -> bool:
        """Whether no further job is to begin."""
        return self.most is not None and self.length >= self.most


@final
@dataclass(frozen=True)
class Work:
    """Some jobs of a sweep or search.

    Attributes:
        command: what the jobs are descriptions of.
        jobs: to be carried out, in this order.
        folder: of the sweep or search.
        signals: that may end the work.
        most: jobs that there are at a time at most, which share the cores.
        results: the file with the numbers, which grows as jobs end; None where another process
            writes it.
        quiet: what jobs say goes to their logs, as whoever asked for them shows how they go.
        streak: of failed jobs, which may have begun in other work.
        until: on the monotonic clock, in seconds: no further job begins later; None: no end.
    """

    command: str
    jobs: Sequence[Job]
    folder: SweepFolder
    signals: Signals
    most: int
    results: Results | None = None
    quiet: bool = False
    streak: Streak = field(default_factory=Streak)
    until: float | None = None

    def gives_up(self) -> bool:
        """Whether no further job is to begin: too many in a row have failed, or the time is over.

        It is said.
        """
        if is_over(self.until):
            _LOG.warning("time is up: no further job begins")
            return True
        if self.streak.is_enough:
            _LOG.warning(
                "the last %d jobs failed (launch.fail_fast=%d): no further job begins",
                self.streak.length, self.streak.most,
            )  # fmt: skip
        return self.streak.is_enough

    def is_done(self, job: Job) -> bool:
        """Whether the job was finished before; its record then says so."""
        done = finished_before(self.folder, job)
        if done:
            self.streak.note(done)
            self.folder.keep(job.name, done)
            if self.results:
                self.results.note(job, done)
            if not self.quiet:
                _LOG.info("job: %s (finished before)", job)
        return done is not None

    def tell_end(self, job: Job, *, quiet: bool) -> None:
        """Say how a job ended, where it could not say so itself; add its numbers to the results.

        Raises:
            StorageError: the results cannot be written.
        """
        record = self.folder.record(job.name)
        self.streak.note(record)
        if self.results:
            self.results.note(job, record)
            self.results.write()
        if record.state == "died" or quiet:
            reason = f": {record.reason}" if record.reason else f" in {record.seconds:.1f} s"
            _LOG.info("%s: %s%s", job, record.in_words, reason)

    def keep_death(self, job: Job, reason: str) -> Record:
        """The job's record, which says that its process ended unexpectedly."""
        folder = self.folder.record(job.name).folder
        self.folder.keep(job.name, replace(Record.died(reason), folder=folder))
        return self.folder.record(job.name)

    def keep_stopped(self, job: Job, reason: str = "") -> None:
        """Write down that a signal has ended the job, unless it had just ended by itself."""
        record = self.folder.record(job.name)
        if record.is_done or record.state == "failed":
            return
        code = self.signals.code or TERMINATED
        reason = reason or ("interrupted" if code == INTERRUPTED else "terminated")
        self.folder.keep(job.name, replace(record, state="stopped", code=code, reason=reason))
