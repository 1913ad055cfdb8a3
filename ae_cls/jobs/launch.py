"""Where jobs are carried out: the config group `launch`."""

import os
from abc import ABC, abstractmethod
from typing import Annotated, Any, Literal, final

from pydantic import AfterValidator, Field, TypeAdapter

from ae_cls.experiment.mistakes import read_part
from ae_cls.jobs.work import Conditions, Work
from ae_cls.settings import Settings
from ae_cls.store.lock import this_process


class Launch(Settings, ABC):
    """The contract of a place for jobs."""

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

    def carry_out(self, work: Work) -> None:
        from ae_cls.jobs.here import carry_out_here  # here and below, as each has its imports

        at_once = min(cores() if self.jobs == -1 else self.jobs, len(work.jobs))
        carry_out_here(work, at_once, side_by_side(at_once))


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
    mem_gb: float | None = Field(gt=0, description="memory for each job; null: the cluster's own")
    setup: tuple[str, ...] = Field(description="lines of shell before a job, such as module load")
    sbatch: dict[str, str | int | bool] = Field(description="any other option of sbatch")

    def carry_out(self, work: Work) -> None:
        from ae_cls.jobs.slurm import carry_out_on_cluster

        parameters = self.model_dump(
            exclude={"name", "max_num_timeout", "array", "setup", "sbatch"}, exclude_none=True
        )
        more = {"array_parallelism": self.array, "additional_parameters": self.sbatch}
        parameters |= {**more, "setup": [*self.setup]}
        carry_out_on_cluster(work, "slurm", parameters, self.max_num_timeout, Conditions())


@final
class SlurmHere(Launch):
    """What submitit does on a cluster, on this machine: all jobs at once, to try it."""

    name: Literal["slurm_here"]
    timeout_min: float = Field(gt=0, description="time limit of a job, in minutes")
    signal_delay_s: int = Field(ge=1, description="seconds before the limit in which a job saves")
    max_num_timeout: int = Field(ge=0, description="times that a job is begun again at its limit")

    def carry_out(self, work: Work) -> None:
        from ae_cls.jobs.slurm import carry_out_on_cluster

        parameters = {"timeout_min": self.timeout_min, "signal_delay_s": self.signal_delay_s}
        conditions = side_by_side(len(work.jobs))
        carry_out_on_cluster(work, "local", parameters, self.max_num_timeout, conditions)


_CHOICE = TypeAdapter[Launch](Annotated[Local | Slurm | SlurmHere, Field(discriminator="name")])
HERE = Local(name="local", jobs=1)
"""One job after another, on this machine."""


def read_launch(plain: dict[str, Any]) -> Launch:
    """The settings that the group `launch` composes to.

    Raises:
        UsageError: all mistakes at once.
    """
    fix = f"its keys: ae-cls run launch={plain['name']} --cfg job --package launch"
    return read_part(_CHOICE.validate_json, plain, "launch", fix)


def side_by_side(at_once: int) -> Conditions:
    """What so many jobs at a time on this machine mean for each."""
    if at_once == 1:
        return Conditions(owner=this_process())
    return Conditions(threads=max(cores() // at_once, 1), quiet=True, owner=this_process())


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
