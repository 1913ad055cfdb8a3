"""Where jobs are carried out: the config group `launch`."""

import logging
import os
import shutil
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

from pydantic import AfterValidator, Field, TypeAdapter

from ae_cls.errors import UsageError
from ae_cls.experiment.mistakes import read_part
from ae_cls.jobs.work import Conditions, Work
from ae_cls.settings import Settings
from ae_cls.store.lock import this_process

if TYPE_CHECKING:
    import submitit

MOST_JOBS = 2_000
"""Of a sweep, unless `launch.max_jobs` says otherwise: more are rather a slip of the finger."""

SUBMITIT = "submitit>=1.5"
"""As the extra `slurm` says."""


class Launch(Settings, ABC):
    """The contract of a place for jobs."""

    # Options that users wrote before there were these have neither.
    max_jobs: int = Field(
        default=MOST_JOBS,
        ge=1,
        description="most jobs that a sweep may have; more are refused before any begins",
    )
    fail_fast: int | None = Field(
        default=None,
        ge=1,
        description="failed jobs in a row after which no further job begins; null: all are tried",
    )

    @abstractmethod
    def refuse_missing(self) -> None:
        """Stop where this place cannot be used from here.

        Raises:
            UsageError: with what is missing.
        """

    def with_jobs(self, jobs: int) -> "Launch":
        """The same place for so many jobs at a time, where it is for this group to say."""
        return self

    @abstractmethod
    def carry_out(self, work: Work) -> None:
        """Carry out all jobs, as many at a time as the settings say; each leaves its record.

        Raises:
            KeyboardInterrupt, SystemExit: a signal has ended the work; the jobs, too.
        """


def _not_zero(jobs: int) -> int:
    if jobs == 0:
        raise ValueError("1 or more; -1 is one for each core")
    return jobs


@final
class Local(Launch):
    """On this machine."""

    name: Literal["local"]
    jobs: Annotated[int, Field(ge=-1), AfterValidator(_not_zero)] = Field(
        description="jobs at a time; -1 is one for each core"
    )

    def refuse_missing(self) -> None:
        """Nothing is."""

    def with_jobs(self, jobs: int) -> Launch:
        """As many.

        Raises:
            UsageError: another number was asked for.
        """
        if self.jobs != 1:
            raise UsageError(
                "a search sets the number of jobs at a time itself",
                where=f"launch.jobs={self.jobs}", fix=f"search.jobs={self.jobs}",
            )  # fmt: skip
        return self.model_copy(update={"jobs": jobs})

    def carry_out(self, work: Work) -> None:
        from ae_cls.jobs.here import carry_out_here  # here and below, as each has its imports

        at_once = min(cores() if self.jobs == -1 else self.jobs, work.most)
        _say_share(at_once)
        conditions, work.streak.most = side_by_side(at_once), self.fail_fast
        quiet = conditions.quiet or work.quiet
        carry_out_here(work, at_once, replace(
            conditions, quiet=quiet, fail_fast=self.fail_fast, until=work.until,
        ))  # fmt: skip


@final
class Slurm(Launch):
    """On a SLURM cluster, as a job array, through submitit."""

    name: Literal["slurm"]
    partition: str | None = Field(min_length=1, description="null: the cluster's own choice")
    account: str | None = Field(min_length=1, description="null: the user's own")
    timeout_min: int = Field(ge=1, description="time limit of a job, in minutes")
    max_num_timeout: int = Field(ge=0, description="times that a job is queued again at its limit")
    array: int = Field(ge=1, description="jobs that run at a time")
    gpus_per_node: int = Field(ge=0, description="cards for each job")
    cpus_per_task: int = Field(ge=1, description="cores for each job")
    mem: str | None = Field(
        pattern=r"^\d+[KMGT]B?$",
        description="memory for each job, as 16GB; null: its own",
    )
    setup: tuple[str, ...] = Field(description="lines of shell before a job, such as module load")
    sbatch: dict[str, str | int | bool] = Field(description="any other option of sbatch")

    def refuse_missing(self) -> None:
        _refuse_missing_submitit()
        if shutil.which("sbatch") is None or shutil.which("srun") is None:
            raise UsageError(
                "SLURM is not on this machine", where="launch=slurm: no sbatch or no srun",
                fix="start it on a machine of the cluster; to try it here: launch=slurm_here",
            )  # fmt: skip

    def carry_out(self, work: Work) -> None:
        from ae_cls.jobs.slurm import carry_out_on_cluster

        work.streak.most = self.fail_fast
        carry_out_on_cluster(work, self._executor, Conditions())

    def _executor(self, folder: Path) -> "submitit.Executor":
        import submitit

        chosen = {"partition": self.partition, "account": self.account, "mem": self.mem}
        executor = submitit.SlurmExecutor(folder, max_num_timeout=self.max_num_timeout)
        executor.update_parameters(
            job_name="ae-cls", time=self.timeout_min, array_parallelism=self.array,
            gpus_per_node=self.gpus_per_node, cpus_per_task=self.cpus_per_task,
            setup=[*self.setup], additional_parameters=self.sbatch,
            **{name: value for name, value in chosen.items() if value is not None},
        )  # fmt: skip
        return executor


@final
class SlurmHere(Launch):
    """What submitit does on a cluster, on this machine: all jobs at once, to try it."""

    name: Literal["slurm_here"]
    timeout_min: float = Field(gt=0, description="time limit of a job, in minutes")
    signal_delay_s: int = Field(ge=1, description="seconds before the limit in which a job saves")
    max_num_timeout: int = Field(ge=0, description="times that a job is begun again at its limit")

    def refuse_missing(self) -> None:
        _refuse_missing_submitit()

    def carry_out(self, work: Work) -> None:
        from ae_cls.jobs.slurm import carry_out_on_cluster

        work.streak.most = self.fail_fast
        carry_out_on_cluster(work, self._executor, side_by_side(work.most))

    def _executor(self, folder: Path) -> "submitit.Executor":
        import submitit

        executor = submitit.LocalExecutor(folder, max_num_timeout=self.max_num_timeout)
        executor.update_parameters(timeout_min=self.timeout_min, signal_delay_s=self.signal_delay_s)
        return executor


def _refuse_missing_submitit() -> None:
    if find_spec("submitit") is None:
        raise UsageError(
            "submitit is not installed", where="launch", fix=f'pip install "{SUBMITIT}"'
        )


CHOICE = TypeAdapter[Launch](Annotated[Local | Slurm | SlurmHere, Field(discriminator="name")])
_LOG = logging.getLogger(__name__)
HERE = Local(name="local", jobs=1)
"""One job after another, on this machine."""


def read_launch(plain: dict[str, Any]) -> Launch:
    """The settings that the group `launch` composes to.

    Raises:
        UsageError: all mistakes at once.
    """
    fix = f"its keys: ae-cls run launch={plain['name']} --cfg job --package launch"
    return read_part(CHOICE.validate_json, plain, "launch", fix)


def is_elsewhere(command: str, plain: dict[str, Any] | None) -> bool:
    """Whether a single run is a job on other machines.

    Args:
        command: what the run is.
        plain: what the group `launch` composes to; None where the command has no such group.

    Raises:
        UsageError: the settings are wrong, or have no effect on a single run.
    """
    if plain is None:
        return False
    launch = read_launch(plain)
    if launch != HERE and plain["name"] == HERE.name:
        here = HERE.model_dump()
        key = next(key for key, value in launch.model_dump().items() if value != here[key])
        raise UsageError(
            f"launch.{key}={plain[key]} has no effect on a single run",
            fix=f"a sweep: ae-cls {command} -m ...",
        )
    return launch != HERE


@cache
def _say_share(at_once: int) -> None:
    """Once in a process: a search carries out its jobs in many parts."""
    if at_once > 1:
        share = side_by_side(at_once).threads
        _LOG.info(
            "jobs run in parallel, %s of %d threads each (threads= changes it)", share, cores()
        )


def side_by_side(at_once: int) -> Conditions:
    """What so many jobs at a time on this machine mean for each."""
    if at_once == 1:
        return Conditions(owner=this_process())
    return Conditions(threads=max(cores() // at_once, 1), quiet=True, owner=this_process())


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
