"""Which process of how many this is, by what torchrun, SLURM's srun or this package has set.

torchrun: RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT. srun: the
variables of a job step. Those of the job alone say nothing: a batch script has them too, and runs
once, whatever its number of tasks.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from typing import final

from ae_cls.errors import UsageError
from ae_cls.processes.world import World

_FIRST_PORT, _PORTS = 20_000, 10_000  # below those that systems give to outgoing connections


@final
@dataclass(frozen=True)
class Launch:
    """A process that was started as one of several.

    Attributes:
        world: which one.
        host: of the first process, where all meet.
        port: where the first process listens.
        cores: CPU cores for this process; None: its share of the machine's.
        by_slurm: whether srun did it, which may show each process one card alone.
    """

    world: World
    host: str
    port: int
    cores: int | None
    by_slurm: bool


def launched(environment: Mapping[str, str]) -> Launch | None:
    """How this process was started; None where it stands alone.

    Raises:
        UsageError: the variables do not make sense.
    """
    if "RANK" in environment and "WORLD_SIZE" in environment:
        launch = _by_torchrun(environment)
    elif "SLURM_STEP_NUM_TASKS" in environment and "SLURM_PROCID" in environment:
        launch = _by_slurm(environment)
    else:
        return None
    world = launch.world
    if not (0 <= world.rank < world.size and 0 <= world.local_rank < world.local_size):
        raise UsageError(
            "the launcher's environment variables contradict one another",
            where="RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE",
            why=f"process {world.rank} of {world.size}, on its machine {world.local_rank} "
            f"of {world.local_size}",
            fix="start with torchrun or srun; or unset them, and give devices=N",
        )
    return None if world.size == 1 else launch


def cores_of(launch: Launch | None, world: World) -> int:
    """CPU cores that are this process's own."""
    if launch is not None and launch.cores is not None:
        return launch.cores
    return max(1, _cores_of_machine() // world.local_size)


def card_of(launch: Launch | None, world: World, cards: int) -> int | None:
    """The number of this process's own card among those it sees; None where there are too few."""
    if world.local_size <= cards:
        return world.local_rank
    confined = launch is not None and launch.by_slurm and cards == 1
    return 0 if confined else None


def _cores_of_machine() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _by_torchrun(environment: Mapping[str, str]) -> Launch:
    rank, size = _number(environment, "RANK"), _number(environment, "WORLD_SIZE")
    # One process a machine where a launcher does not say.
    local_rank = _number(environment, "LOCAL_RANK", 0)
    local_size = _number(environment, "LOCAL_WORLD_SIZE", local_rank + 1)
    world = World(rank, size, local_rank, local_size)
    if size == 1:
        return Launch(world, "", 0, None, by_slurm=False)
    host = _word(environment, "MASTER_ADDR")
    return Launch(world, host, _number(environment, "MASTER_PORT"), None, by_slurm=False)


def _by_slurm(environment: Mapping[str, str]) -> Launch:
    rank, size = _number(environment, "SLURM_PROCID"), _number(environment, "SLURM_STEP_NUM_TASKS")
    if size == 1:
        return Launch(World(rank, size, 0, 1), "", 0, None, by_slurm=True)
    tasks = _tasks_a_node(_word(environment, "SLURM_STEP_TASKS_PER_NODE"))
    node, local_rank = _number(environment, "SLURM_NODEID"), _number(environment, "SLURM_LOCALID")
    world = World(rank, size, local_rank, tasks[node] if node < len(tasks) else 0)
    host = environment.get("MASTER_ADDR") or first_host(_word(environment, "SLURM_STEP_NODELIST"))
    # Steps of one job, and jobs on one machine, should not meet at one port.
    step = _number(environment, "SLURM_JOB_ID") * 7 + _number(environment, "SLURM_STEP_ID")
    port = _number(environment, "MASTER_PORT", _FIRST_PORT + step % _PORTS)
    cores = _number(environment, "SLURM_CPUS_PER_TASK", 0)
    return Launch(world, host, port, cores or None, by_slurm=True)


def _tasks_a_node(text: str) -> list[int]:
    """SLURM's short form: 2(x3),1 is 2, 2, 2, 1."""
    parts = re.findall(r"(\d+)(?:\(x(\d+)\))?", text)
    return list(chain.from_iterable(repeat(int(count), int(times or 1)) for count, times in parts))


def first_host(nodes: str) -> str:
    """The first name of SLURM's short form: node[007-009,12],other is node007 first."""
    match = re.match(r"([^\[,]+)(?:\[(\d+)[^\]]*\]([^,\[]*))?", nodes)
    if match is None:
        raise UsageError("the list of nodes cannot be read", where=f"SLURM_STEP_NODELIST={nodes}")
    return "".join(part or "" for part in match.groups())


def _word(environment: Mapping[str, str], name: str) -> str:
    if name not in environment:
        raise UsageError(
            f"the launcher has not set {name}",
            where="environment",
            why="this process was started as one of several",
            fix="start with torchrun or srun; or unset RANK and WORLD_SIZE, and give devices=N",
        )
    return environment[name]


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    if default is not None and not environment.get(name):
        return default
    text = _word(environment, name)
    if not text.isdecimal():
        raise UsageError(f"{name}={text} is not a number", where="environment")
    return int(text)
