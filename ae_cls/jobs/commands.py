"""What each command does."""

import os
from collections.abc import Callable
from typing import Any

from ae_cls.bench.compare import bench
from ae_cls.errors import UsageError
from ae_cls.experiment.benchmark import Benchmark
from ae_cls.experiment.common import CommonKeys
from ae_cls.processes.launch import launched
from ae_cls.run.others import is_another
from ae_cls.run.run import Result, classify, pretrain, run

COMMANDS: dict[str, Callable[[Any], Result]] = {
    "run": run, "pretrain": pretrain, "classify": classify, "bench": bench,
}  # fmt: skip
"""Word on the command line: what carries out its description."""


def carry_out(command: str, described: CommonKeys) -> Result | None:
    """What a command leaves behind; None in a process of several that is not the first.

    Raises:
        UsageError: several processes were launched for what one does.
    """
    if launched(os.environ) and isinstance(described, Benchmark):
        raise UsageError(
            f"{command} is for one process", where="RANK, WORLD_SIZE",
            fix="start it without torchrun or srun",
        )  # fmt: skip
    return None if is_another(described) else COMMANDS[command](described)
