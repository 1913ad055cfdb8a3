"""The one training loop: autoencoders and fine-tuned classifiers go through it."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from tqdm import tqdm

from ae_cls.dataset.rows import to_unit
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
from ae_cls.train.shared_checkpoints import SharedCheckpoints
from ae_cls.train.state import State
from ae_cls.train.step import make_optimiser, take_step, trained_parameters
from ae_cls.train.task import LossOfBatch, Objective, TrainTask

log = logging.getLogger(__name__)


def optimise(objective: Objective, task: TrainTask, schedule: Schedule) -> list[EpochRecord]:
    """Train a network in place and leave it with the weights of its best validation epoch, or last.

    Continues from the newest checkpoint of the task; the outcome is the same as without the break.

    Raises:
        TrainingError: a loss or gradient is not finite; the weights are those before that step.
        StorageError: a checkpoint cannot be written.
    """
    world, optimiser = task.compute.world, make_optimiser(objective.groups, schedule)
    checkpoints = SharedCheckpoints(world, task.checkpoints)
    state = State(objective.network, optimiser)
    if newest := checkpoints.newest():
        state.restore(newest)
        log.info("%s: continues after step %d", objective.stage, state.step)
    trained = trained_parameters(optimiser)
    augment = schedule.augment.for_dataset(mirrored_is_same=task.mirrored_is_same)
    try:
        with gradients_averaged(
            objective.network, trained, objective.loss_of_batch, world
        ) as loss_of_batch:
            training = _Training(objective.stage, loss_of_batch, augment, task, schedule)
            _train(training, state, objective.validate, checkpoints)
    except (KeyboardInterrupt, SystemExit):
        checkpoints.keep(state.checkpoint())
        raise
    if math.isinf(state.best):
        raise TrainingError(f"no epoch of {objective.stage} has a finite validation score")
    objective.network.load_state_dict(state.best_weights)
    return state.history


def _train(
    training: "_Training",
    state: State,
    validate: Callable[[], Score] | None,
    checkpoints: Checkpoints,
) -> None:
    schedule, is_first = training.schedule, training.task.compute.world.is_first
    with tqdm(
        total=training.steps, initial=state.step, desc=training.stage, unit="step",
        disable=None if is_first else True,
    ) as bar:  # fmt: skip
        while not _is_over(training, state.history):
            for _ in training.rest_of_epoch(state):
                bar.update()
                if checkpoints.is_due(epoch_ended=False):
                    checkpoints.keep(state.checkpoint())
            # Without validation each epoch is better than those before.
            score = validate() if validate else Score(-1.0 - len(state.history), {})
            with held():
                state.end_epoch(training.record(state, score), score.value)
            _log_epoch(bar, state.history[-1], schedule.epochs)
            if checkpoints.is_due(epoch_ended=True):
                checkpoints.keep(state.checkpoint())
    checkpoints.keep(state.checkpoint())


def _is_over(training: "_Training", history: list[EpochRecord]) -> bool:
    patience = training.schedule.patience
    if len(history) >= training.schedule.epochs:
        return True
    if patience is None or len(history) <= patience:
        return False
    if any(record.best for record in history[-patience:]):
        return False
    log.info("%s: no improvement for %d epochs, stopping", training.stage, patience)
    return True


@final
@dataclass(frozen=True)
class _Training:
    """What stays the same from step to step."""

    stage: str
    loss_of_batch: LossOfBatch
    augment: Augment
    task: TrainTask
    schedule: Schedule

    @property
    def steps_in_epoch(self) -> int:
        return self.schedule.steps_in_epoch(len(self.task.train))

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
        compute, progress = self.task.compute, batch.step / self.steps
        images = to_unit(batch.images, compute.device)
        draws = Draws(self.task.seed, batch.number, batch.samples.to(compute.device))
        clean = self.augment.apply(images, draws)
        shared = shared_batch(compute.world, own=len(batch.positions), count=batch.count)
        with compute.autocast(), shared:
            loss = whole_loss(self.loss_of_batch(clean, batch.positions, draws, progress))
        where = f"{self.stage}, epoch {len(state.history) + 1}, step {batch.step + 1}"
        take_step(state.optimiser, loss, self.schedule, self.schedule.lr_at(progress), where)
        state.means.add(loss, batch.count)
        state.step = batch.step + 1

    def _batches(self, first: int, last: int) -> Iterator["_Batch"]:
        """The batches of these steps; in an epoch, a small set is passed over several times."""
        images, compute = self.task.train, self.task.compute
        rows = torch.from_numpy(images.rows)
        orders = passes(len(images), self.schedule.batch_size, self.task.seed)
        for step in range(first, last):
            number, whole = orders(step)
            positions = compute.world.share_of(whole)
            taken = compute.staged(images.take(positions))
            yield _Batch(step, number, len(whole), positions, rows[positions], taken)


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


def _log_epoch(bar: tqdm, record: EpochRecord, epochs: int) -> None:
    terms = "  ".join(
        f"{name} {value:z.5g}" for name, value in (record.valid or record.train).items()
    )
    bar.set_postfix_str(terms)
    log.info(
        "%s  epoch %d/%d  %s  %.0f images/s", record.stage, record.epoch, epochs,
        terms, record.images_per_second,
    )  # fmt: skip
