"""One step of the optimiser: rates, decay, clipping, and a stop before anything is spoilt."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import nn

from ae_cls.errors import TrainingError
from ae_cls.train.adam import Adam
from ae_cls.train.failing import LESS_STEEP
from ae_cls.train.loss import Loss
from ae_cls.train.schedule import Schedule


@final
@dataclass(frozen=True)
class Group:
    """Modules that share a learning rate.

    Attributes:
        modules: whose parameters are trained.
        rate: factor on the schedule's learning rate.
        undecayed: those among them, or parts of them, whose weights do not decay.
    """

    modules: Sequence[nn.Module]
    rate: float
    undecayed: Sequence[nn.Module] = ()


def make_optimiser(groups: Sequence[Group], schedule: Schedule) -> Adam:
    """Weight matrices decay; biases and norms do not."""
    options: list[dict[str, object]] = []
    for group in groups:
        parameters = [p for module in group.modules for p in module.parameters()]
        spared = {id(p) for module in group.undecayed for p in module.parameters()}
        decayed = [p for p in parameters if p.ndim >= 2 and id(p) not in spared]
        exempt = [p for p in parameters if p.ndim < 2 or id(p) in spared]
        options.append({"params": decayed, "rate": group.rate})
        options.append({"params": exempt, "rate": group.rate, "weight_decay": 0.0})
    return Adam(
        options, lr=schedule.lr, weight_decay=schedule.weight_decay,
        is_decoupled=schedule.optimiser == "adamw",
    )  # fmt: skip


def trained_parameters(optimiser: Adam) -> list[nn.Parameter]:
    """All that the optimiser changes."""
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def take_step(optimiser: Adam, loss: Loss, schedule: Schedule, lr: float, where: str) -> None:
    """Follow the gradient once.

    Raises:
        TrainingError: the loss or its gradient is not finite; the weights are as they were.
    """
    for group in optimiser.param_groups:
        group["lr"] = lr * group["rate"]
    optimiser.zero_grad()
    loss.total.backward()
    parameters = trained_parameters(optimiser)
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    # Both at once: a GPU is waited for whenever it is asked for a number.
    height, slope = torch.stack([loss.total.detach().to(norm), norm]).tolist()
    # One number tells about both: a loss that is not finite has no finite gradient.
    if not math.isfinite(height + slope):
        raise TrainingError(
            "the loss or its gradient is not finite, and the step was not taken",
            where=where,
            why=f"loss {height:g}, gradient norm {slope:g}, learning rate {lr:g}",
            fix=LESS_STEEP,
        )
    if slope > schedule.clip:
        nn.utils.clip_grads_with_norm_(parameters, schedule.clip, norm)
    optimiser.step()
