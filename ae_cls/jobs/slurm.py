"""Jobs through submitit: on a SLURM cluster, or on this machine as a cluster would do it."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, final

from ae_cls.errors import StorageError, UsageError
from ae_cls.jobs.here import carry_out_here
from ae_cls.jobs.record import Job, SweepFolder
from ae_cls.jobs.signals import Signals
from ae_cls.jobs.work import GRACE, Conditions, Work
from ae_cls.report.terminal import log_to_stderr
from ae_cls.store.lock import Owner

if TYPE_CHECKING:
    import submitit
    from submitit.helpers import DelayedSubmission

Submitted = Sequence[tuple[Job, "submitit.Job[None]"]]

_FOLDER = ".submitit"
_LOOK = 0.3  # seconds; of the cluster itself submitit asks once a minute


def carry_out_on_cluster(
    work: Work, executor: Callable[[Path], "submitit.Executor"], conditions: Conditions
) -> None:
    """Submit what is not finished, and wait for it.

    Args:
        work: the jobs.
        executor: makes submitit's, which keeps its scripts and logs in that folder.
        conditions: for each job; with an owner, the jobs end with that process.

    Raises:
        UsageError: the cluster rejected the jobs.
        KeyboardInterrupt, SystemExit: a signal came. Jobs on other machines go on.
    """
    missing = [job for job in work.jobs if not work.is_done(job)]
    if not missing:
        return
    tasks = [Task(work.command, job, work.folder.path, conditions) for job in missing]
    try:
        handles = executor(work.folder.path / _FOLDER / "%j").submit_array(tasks)
    except RuntimeError as error:  # which all errors of submitit are
        raise UsageError("the cluster rejected the jobs", why=str(error)) from error
    submitted = list(zip(missing, handles, strict=True))
    try:
        _wait(work, submitted, quiet=conditions.quiet)
    finally:
        if conditions.owner:
            _end(work, submitted)
    work.signals.end_if_any()


@final
@dataclass(frozen=True)
class Task:
    """What submitit calls on the machine that it has found for a job: waits for its process."""

    command: str
    job: Job
    folder: Path
    conditions: Conditions

    def __call__(self) -> None:
        from submitit.core.utils import UncompletedJobError

        if self.conditions.owner and self.conditions.owner.is_gone():
            return
        log_to_stderr()
        work = Work(self.command, [self.job], SweepFolder(self.folder), Signals(), 1)
        try:
            carry_out_here(work, 1, self.conditions)
        except UncompletedJobError as error:  # the time limit, once too often
            record = work.folder.record(self.job.name)
            work.folder.keep(self.job.name, replace(record, reason=str(error)))
            raise

    def checkpoint(self) -> "DelayedSubmission":
        """What is to be done when the job begins again after its time limit: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def _wait(work: Work, submitted: Submitted, *, quiet: bool) -> None:
    """Until all are over, or a signal comes."""
    left, gave_up = list(submitted), False
    while left and not work.signals.code:
        for job, handle in [pair for pair in left if pair[1].done()]:
            left.remove((job, handle))
            record = work.folder.record(job.name)
            if gave_up and not record.has_begun:
                continue  # it was called off
            if not record.is_over:
                why = f"its task ended unexpectedly; see {handle.paths.stderr}"
                record = work.keep_death(job, why)
            work.tell_end(job, quiet=quiet)
            if left and not gave_up and (record.code == StorageError.code or work.gives_up()):
                gave_up = True
                _call_off(work, left)
        time.sleep(_LOOK)


def _call_off(work: Work, left: Submitted) -> None:
    """Let those not begin that have not."""
    for job, handle in left:
        if not work.folder.record(job.name).has_begun:
            handle.cancel(check=False)


def _end(work: Work, submitted: Submitted) -> None:
    """Let the jobs save what they have, then kill what is left; their records say so."""
    left = [(job, handle) for job, handle in submitted if not handle.done()]
    for _, handle in left:
        handle.cancel(check=False)  # whoever waits for a job's process there passes it on
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and not work.signals.is_urgent and _running(work, left):
        time.sleep(_LOOK)
    for owner in _running(work, left):
        os.kill(owner.process, signal.SIGKILL)
    for job, _ in left:
        if work.folder.record(job.name).state != "waiting":
            work.keep_stopped(job)


def _running(work: Work, left: Submitted) -> list[Owner]:
    records = [work.folder.record(job.name) for job, _ in left]
    return [record.owner for record in records if record.state == "running" and record.owner]
