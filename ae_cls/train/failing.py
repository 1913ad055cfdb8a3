"""How a training fails: what it says then, and what it never writes."""

from collections.abc import Sequence

import torch
from torch import nn

from ae_cls.errors import TrainingError
from ae_cls.machine.faults import reason_of
from ae_cls.machine.memory import refuse_more_than_there_is
from ae_cls.train.checkpoint import Checkpoints

LESS_STEEP = "a lower lr, a longer warm_up or precision=fp32"
"""What to do about numbers that are not finite."""


def not_finite_in(network: nn.Module) -> str:
    """The name of the first weight that holds such a number; empty where none does."""
    weights = network.named_parameters()
    return next((name for name, weight in weights if not torch.isfinite(weight).all()), "")


def refuse_not_finite(network: nn.Module, where: str) -> None:
    """Stop before something is kept from which no training can go on.

    Raises:
        TrainingError: a weight is not finite.
    """
    if name := not_finite_in(network):
        raise TrainingError("a weight is not finite", where=f"{where}: {name}", fix=LESS_STEEP)


_COPIES = 6
"""Of weights that are trained: as drawn, as trained, their slopes, two moments, the best."""


def refuse_too_many(weights: Sequence[nn.Parameter], stage: str) -> None:
    """Stop before the first step where what training keeps beside the weights does not fit.

    Raises:
        TrainingError: there is less memory.
    """
    refuse_more_than_there_is(
        _COPIES * sum(weight.nbytes for weight in weights), "to train this network", where=stage,
        fix="a smaller network or smaller images",
    )  # fmt: skip


def with_what_is_left(error: TrainingError, checkpoints: Checkpoints) -> TrainingError:
    """The same error, and how much of the training is kept."""
    newest = checkpoints.newest()
    left = f"a checkpoint after step {newest.step} is kept" if newest else "nothing of it is kept"
    why = "\n".join(filter(None, [error.why, left]))
    return TrainingError(error.what, where=error.where, why=why, fix=error.fix)


def too_large(stage: str, batch: int, error: BaseException) -> TrainingError:
    """The error of a training for which there is not enough memory.

    Args:
        stage: whose training it is.
        batch: images a step takes.
        error: what was said of the memory.
    """
    fix = f"a smaller batch_size, such as {batch // 2}, or a smaller network or smaller images"
    if batch < 2:
        fix = "a smaller network or smaller images"
    where = f"{stage}, batch_size {batch}"
    return TrainingError("there is not enough memory", where=where, why=reason_of(error), fix=fix)
