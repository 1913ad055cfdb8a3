"""What a training is given: on which images, under which conditions, and what it is after."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import final

from jaxtyping import Float, Int64
from torch import Tensor, nn

from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows
from ae_cls.draws import Draws
from ae_cls.train.checkpoint import Checkpoints, NoCheckpoints
from ae_cls.train.loss import Loss
from ae_cls.train.order import Order, passes
from ae_cls.train.record import Score
from ae_cls.train.step import Group

LossOfBatch = Callable[[Float[Tensor, "b c h w"], Int64[Tensor, " b"], Draws, float], Loss]
"""The loss of clean images, given their positions among the training images, draws and progress."""


@final
@dataclass(frozen=True)
class TrainTask:
    """On what a network is trained, and under which conditions.

    Attributes:
        train: the images to learn from.
        valid: the images to choose the best epoch on; none where the last one is taken.
        mirrored_is_same: whether a mirror image keeps its class.
        seed: every random draw follows from it.
        compute: device, precision and processes.
        checkpoints: where the training continues from, and what it leaves behind.
        order: which images a step sees.
    """

    train: ImageRows
    valid: ImageRows
    mirrored_is_same: bool
    seed: int
    compute: Compute
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    order: Order = passes


@final
@dataclass(frozen=True)
class Objective:
    """What a training is after.

    Attributes:
        stage: its name in logs and in the history.
        network: changed in place.
        groups: the modules that are trained, with their learning rates.
        loss_of_batch: the number to go down.
        validate: the score after an epoch, given its number from 1; the weights of the best epoch
            are kept. None: those of the last epoch.
    """

    stage: str
    network: nn.Module
    groups: Sequence[Group]
    loss_of_batch: LossOfBatch
    validate: Callable[[int], Score] | None
