"""What one process alone may do. Imports no torch: a process that only waits never needs it."""

import os

from ae_cls.errors import UsageError


def refuse_several_processes(what: str) -> None:
    """Let `what` be done by one process, which may start others.

    Raises:
        UsageError: torchrun or srun started this one as one of several.
    """
    if not {"RANK", "SLURM_PROCID"} & os.environ.keys():
        return
    from ae_cls.processes.launch import launched  # here, as it imports torch

    if launched(os.environ):
        raise UsageError(
            f"{what} is for one process", where="RANK, WORLD_SIZE",
            fix="start it without torchrun or srun; devices=N takes several where they help",
        )  # fmt: skip
