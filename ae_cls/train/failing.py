"""How a training fails: what it says then, and what it never writes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from ae_cls.errors import TrainingError
from ae_cls.machine.faults import is_out_of_memory, reason_of
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


_ONE_IMAGE = "Expected more than 1 value per channel"  # as torch says it
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


@contextmanager
def failures_named(stage: str, batch: int, checkpoints: Checkpoints) -> Iterator[None]:
    """Let a training that fails in the body say what is left of it, or what was too large.

    Args:
        stage: whose training it is.
        batch: images a step takes.
        checkpoints: of it.

    Raises:
        TrainingError: it has failed.
    """
    try:
        yield
    except TrainingError as error:
        raise _with_what_is_left(error, checkpoints) from error
    except ValueError as error:
        if _ONE_IMAGE not in str(error):
            raise
        raise TrainingError(
            "a batch norm needs more than one image", where=f"{stage}, batch_size {batch}",
            fix="a batch_size of 3 or more, and as many images",
        ) from error  # fmt: skip
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise _too_large(stage, batch, error) from error


def _with_what_is_left(error: TrainingError, checkpoints: Checkpoints) -> TrainingError:
    newest = checkpoints.newest()
    left = f"a checkpoint after step {newest.step} is kept" if newest else "nothing of it is kept"
    why = "\n".join(filter(None, [error.why, left]))
    return TrainingError(error.what, where=error.where, why=why, fix=error.fix)


def _too_large(stage: str, batch: int, error: BaseException) -> TrainingError:
    fix = f"a smaller batch_size, such as {batch // 2}, or a smaller network or smaller images"
    if batch < 2:
        fix = "a smaller network or smaller images"
    where = f"{stage}, batch_size {batch}"
    return TrainingError("there is not enough memory", where=where, why=reason_of(error), fix=fix)
