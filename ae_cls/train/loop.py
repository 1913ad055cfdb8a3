"""The one training loop: autoencoders and fine-tuned classifiers go through it."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from tqdm import tqdm

from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.draws import Draws
from ae_cls.errors import TrainingError
from ae_cls.interrupt import held
from ae_cls.processes.batch import batch_mean, shared_batch
from ae_cls.processes.training import gradients_averaged
from ae_cls.train.ahead import ahead
from ae_cls.train.augment import Augment
from ae_cls.train.checkpoint import Checkpoints
from ae_cls.train.loss import Loss
from ae_cls.train.order import passes
from ae_cls.train.record import EpochRecord, Score
from ae_cls.train.schedule import Schedule
from ae_cls.train.state import State
from ae_cls.train.step import Group, make_optimiser, take_step, trained_parameters

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
    checkpoints: Checkpoints,
) -> list[EpochRecord]:
    """Train `network` in place and leave it with the weights of its best validation epoch.

    Goes on from the newest of `checkpoints`; what comes out is the same as without the break.

    Raises:
        TrainingError: a loss or gradient is not finite; the weights are those before that step.
        StorageError: a checkpoint cannot be written.
    """
    optimiser, world = make_optimiser(groups, schedule), compute.world
    state = _begun(State(network, optimiser), stage, checkpoints)
    averaged = gradients_averaged(network, trained_parameters(optimiser), loss_of_batch, world)
    try:
        with averaged as loss_of_batch:
            training = _Training(stage, images, loss_of_batch, schedule, augment, seed, compute)
            with tqdm(
                total=training.steps, initial=state.step, desc=stage, unit="step",
                disable=None if world.is_first else True,
            ) as bar:  # fmt: skip
                _train(training, state, validate, checkpoints, bar)
    except (KeyboardInterrupt, SystemExit):
        checkpoints.keep(state.checkpoint())
        raise
    if math.isinf(state.best):
        raise TrainingError(f"no epoch of {stage} has a finite validation score")
    network.load_state_dict(state.best_weights)
    return state.history


def _begun(state: State, stage: str, checkpoints: Checkpoints) -> State:
    if found := checkpoints.newest():
        state.restore(found)
        log.info("%s: goes on after step %d", stage, state.step)
    return state


def _train(
    training: "_Training",
    state: State,
    validate: Callable[[], Score],
    checkpoints: Checkpoints,
    bar: tqdm,
) -> None:
    schedule = training.schedule
    while len(state.history) < schedule.epochs:
        if _out_of_patience(state.history, schedule.patience):
            log.info("%s: no better for %d epochs, stopping", training.stage, schedule.patience)
            break
        for _ in training.rest_of_epoch(state):
            bar.update()
            if checkpoints.is_due(epoch_ended=False):
                checkpoints.keep(state.checkpoint())
        score = validate()
        with held():
            state.end_epoch(training.record(state, score), score.value)
        _say(bar, state.history[-1], schedule.epochs)
        if checkpoints.is_due(epoch_ended=True):
            checkpoints.keep(state.checkpoint())
    checkpoints.keep(state.checkpoint())


@final
@dataclass(frozen=True)
class _Training:
    """What stays the same from step to step."""

    stage: str
    images: ImageRows
    loss_of_batch: LossOfBatch
    schedule: Schedule
    augment: Augment
    seed: int
    compute: Compute

    @property
    def steps_in_epoch(self) -> int:
        return self.schedule.steps_in_epoch(len(self.images))

    @property
    def steps(self) -> int:
        return self.schedule.epochs * self.steps_in_epoch

    def rest_of_epoch(self, state: State) -> Iterator[None]:
        """The steps that the epoch still lacks; after each, `state` is whole."""
        state.network.train()
        started = time.monotonic() - state.seconds
        last = (len(state.history) + 1) * self.steps_in_epoch
        for batch in ahead(self._batches(state.step, last)):
            with held():
                self._step(state, batch)
                state.seconds = time.monotonic() - started
            yield

    def record(self, state: State, score: Score) -> EpochRecord:
        """The epoch whose steps are done."""
        epoch = len(state.history) + 1
        return EpochRecord(
            stage=self.stage,
            epoch=epoch,
            lr=self.schedule.lr_at(epoch / self.schedule.epochs),
            seconds=round(state.seconds, 3),
            images_per_second=round(state.means.count / state.seconds, 1),
            train=state.means.means(),
            valid=score.terms,
            best=score.value < state.best,
        )

    def _step(self, state: State, batch: "_Batch") -> None:
        progress = batch.step / self.steps
        loss = self._loss(batch, progress)
        where = f"{self.stage}, epoch {len(state.history) + 1}, step {batch.step + 1}"
        take_step(state.optimiser, loss, self.schedule, self.schedule.lr_at(progress), where)
        state.means.add(loss, batch.count)
        state.step = batch.step + 1

    def _loss(self, batch: "_Batch", progress: float) -> Loss:
        images = to_unit(batch.images, self.compute.device)
        draws = Draws(self.seed, batch.number, batch.samples.to(self.compute.device))
        clean = self.augment.apply(images, draws)
        shared = shared_batch(self.compute.world, own=len(batch.positions), count=batch.count)
        with self.compute.autocast(), shared:
            return whole_loss(self.loss_of_batch(clean, batch.positions, draws, progress))

    def _batches(self, first: int, last: int) -> Iterator["_Batch"]:
        """The batches of these steps; in an epoch, a small set is passed over several times."""
        rows = torch.from_numpy(self.images.rows)
        orders = passes(len(self.images), self.schedule.batch_size, self.seed)
        for step in range(first, last):
            number, whole = orders(step)
            positions = self.compute.world.part(whole)
            images = self.compute.staged(self.images.take(positions))
            yield _Batch(step, number, len(whole), positions, rows[positions], images)


@final
@dataclass(frozen=True)
class _Batch:
    """What one step sees.

    Attributes:
        step: of the whole training, from 0.
        number: of the pass over the images, from 0.
        count: images of all processes.
        positions: of this process's images among the training images.
        samples: index of each image in the data set.
        images: bytes.
    """

    step: int
    number: int
    count: int
    positions: Int64[Tensor, " b"]
    samples: Int64[Tensor, " b"]
    images: UInt8[Tensor, "b c h w"]


def whole_loss(part: Loss) -> Loss:
    """The loss of the whole batch, the same in each process, from that of this process's part."""
    names = list(part.terms)
    total, *terms = batch_mean(torch.stack([part.total, *part.terms.values()]))
    return Loss(total, dict(zip(names, (term.detach() for term in terms), strict=True)))


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
