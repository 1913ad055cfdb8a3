"""The one training loop: autoencoders and fine-tuned classifiers go through it."""

import copy
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from tqdm import tqdm

from ae_cls.autoencoder.contract import Loss
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.draws import Draws
from ae_cls.errors import TrainingError
from ae_cls.pretrain.ahead import ahead
from ae_cls.pretrain.augment import Augment
from ae_cls.pretrain.order import passes
from ae_cls.pretrain.record import EpochRecord, Means, Score
from ae_cls.pretrain.schedule import Schedule
from ae_cls.pretrain.step import Group, make_optimiser, take_step

log = logging.getLogger(__name__)

LossOfBatch = Callable[
    [Float[Tensor, "b c h w"], Int64[Tensor, " b"], Draws, float],
    Loss,
]
"""The loss of clean images, given their positions among the training images, draws and progress."""


def optimise(
    network: nn.Module,
    *,
    stage: str,
    groups: Sequence[Group],
    images: ImageRows,
    loss_of_batch: LossOfBatch,
    validate: Callable[[], Score],
    schedule: Schedule,
    augment: Augment,
    seed: int,
    compute: Compute,
) -> list[EpochRecord]:
    """Train `network` in place and leave it with the weights of its best validation epoch.

    Raises:
        TrainingError: a loss or gradient is not finite; the weights are those before that step.
    """
    training = _Training(
        stage,
        images,
        loss_of_batch,
        schedule,
        augment,
        seed,
        compute,
        make_optimiser(groups, schedule),
    )
    history: list[EpochRecord] = []
    best, best_state = math.inf, network.state_dict()
    with tqdm(total=training.steps, desc=stage, unit="step", disable=None) as bar:
        for epoch in range(schedule.epochs):
            network.train()
            record = training.epoch(epoch, bar)
            score = validate()
            history.append(replace(record, valid=score.terms, best=score.value < best))
            if score.value < best:
                best, best_state = score.value, copy.deepcopy(network.state_dict())
            _say(bar, history[-1], schedule.epochs)
            if _out_of_patience(history, schedule.patience):
                log.info("%s: no better for %d epochs, stopping", stage, schedule.patience)
                break
    if math.isinf(best):
        raise TrainingError(f"no epoch of {stage} has a finite validation score")
    network.load_state_dict(best_state)
    return history


@final
@dataclass(frozen=True)
class _Training:
    """What stays the same from epoch to epoch."""

    stage: str
    images: ImageRows
    loss_of_batch: LossOfBatch
    schedule: Schedule
    augment: Augment
    seed: int
    compute: Compute
    optimiser: torch.optim.Optimizer

    @property
    def steps_in_epoch(self) -> int:
        return self.schedule.steps_in_epoch(len(self.images))

    @property
    def steps(self) -> int:
        return self.schedule.epochs * self.steps_in_epoch

    def epoch(self, epoch: int, bar: tqdm) -> EpochRecord:
        """One pass, counted from 0; its record has no validation yet."""
        started, terms = time.monotonic(), Means()
        for batch in ahead(self._batches(epoch)):
            progress = batch.step / self.steps
            loss = self._loss(batch, progress)
            where = f"{self.stage}, epoch {epoch + 1}, step {batch.step + 1}"
            take_step(self.optimiser, loss, self.schedule, self.schedule.lr_at(progress), where)
            terms.add(loss, len(batch.positions))
            bar.update()
        seconds = time.monotonic() - started
        return EpochRecord(
            stage=self.stage,
            epoch=epoch + 1,
            lr=self.schedule.lr_at((epoch + 1) / self.schedule.epochs),
            seconds=round(seconds, 3),
            images_per_second=round(terms.count / seconds, 1),
            train=terms.means(),
            valid={},
            best=False,
        )

    def _loss(self, batch: "_Batch", progress: float) -> Loss:
        images = to_unit(batch.images, self.compute.device)
        draws = Draws(self.seed, batch.number, batch.samples.to(self.compute.device))
        clean = self.augment.apply(images, draws)
        with self.compute.autocast():
            return self.loss_of_batch(clean, batch.positions, draws, progress)

    def _batches(self, epoch: int) -> Iterator["_Batch"]:
        """The batches of an epoch; a small set is passed over several times in one."""
        rows = torch.from_numpy(self.images.rows)
        orders = passes(len(self.images), self.schedule.batch_size, self.seed)
        first = epoch * self.steps_in_epoch
        for step in range(first, first + self.steps_in_epoch):
            number, positions = orders(step)
            images = self.compute.staged(self.images.take(positions))
            yield _Batch(step, number, positions, rows[positions], images)


@final
@dataclass(frozen=True)
class _Batch:
    """What one step sees.

    Attributes:
        step: of the whole training, from 0.
        number: of the pass over the images, from 0.
        positions: among the training images.
        samples: index of each image in the data set.
        images: bytes.
    """

    step: int
    number: int
    positions: Int64[Tensor, " b"]
    samples: Int64[Tensor, " b"]
    images: UInt8[Tensor, "b c h w"]


def _say(bar: tqdm, record: EpochRecord, epochs: int) -> None:
    terms = "  ".join(f"{name} {value:.5g}" for name, value in record.valid.items())
    bar.set_postfix_str(terms)
    log.info(
        "%s  epoch %d/%d  %s  %.0f images/s", record.stage, record.epoch, epochs,
        terms, record.images_per_second,
    )  # fmt: skip


def _out_of_patience(history: list[EpochRecord], patience: int | None) -> bool:
    if patience is None or len(history) <= patience:
        return False
    return not any(record.best for record in history[-patience:])
