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

from ae_cls.compute import Compute
from ae_cls.dataset.rows import to_unit
from ae_cls.draws import Draws
from ae_cls.errors import TrainingError
from ae_cls.interrupt import held
from ae_cls.machine.threads import limit_threads
from ae_cls.processes.batch import batch_mean, shared_batch
from ae_cls.processes.training import gradients_averaged
from ae_cls.terminal.progress import Progress
from ae_cls.train.ahead import ahead
from ae_cls.train.augment import Augment
from ae_cls.train.checkpoint import Checkpoint, Checkpoints
from ae_cls.train.failing import (
    LESS_STEEP,
    failures_named,
    not_finite_in,
    refuse_not_finite,
    refuse_too_many,
)
from ae_cls.train.lines import forecast, loss_in_words, of_stretch, under_way
from ae_cls.train.loss import Loss
from ae_cls.train.record import EpochRecord, Score, finite
from ae_cls.train.schedule import Schedule
from ae_cls.train.shared_checkpoints import SharedCheckpoints
from ae_cls.train.state import State
from ae_cls.train.step import make_optimiser, take_step, trained_parameters
from ae_cls.train.task import LossOfBatch, Objective, TrainTask
from ae_cls.train.trial import Trial

log = logging.getLogger(__name__)

_WORTH_A_TRIAL = 20.0  # seconds of a stretch, of which a trial takes one or two


def optimise(objective: Objective, task: TrainTask, schedule: Schedule) -> list[EpochRecord]:
    """Train a network in place and leave it with the weights of its best validation epoch, or last.

    Continues from the newest checkpoint of the task; the outcome is the same as without the break.

    Raises:
        TrainingError: a loss, gradient or weight is not finite, or memory does not suffice; the
            weights are those before that step.
        ModelFileError: the newest checkpoint is not one of this training.
        StorageError: a checkpoint cannot be written.
    """
    world, optimiser = task.compute.world, make_optimiser(objective.groups, schedule)
    refuse_too_many(trained_parameters(optimiser), objective.stage)
    checkpoints = SharedCheckpoints(world, task.checkpoints)
    state = State(objective.network, optimiser)
    if newest := checkpoints.newest():
        state.restore(newest)
        _go_on_with(newest, task.compute)
        log.info("%s: continues after step %d", objective.stage, state.step)
    trained = trained_parameters(optimiser)
    augment = schedule.augment.for_dataset(mirrored_is_same=task.mirrored_is_same)
    batch = schedule.length.batch_of(len(task.train))
    try:
        with (
            failures_named(objective.stage, batch, task.checkpoints),
            gradients_averaged(
                objective.network, trained, objective.loss_of_batch, world
            ) as loss_of_batch,
        ):
            training = _Training(objective.stage, loss_of_batch, augment, task, schedule)
            if state.step < training.steps:
                training.announce(state)
            _train(training, state, objective.validate, checkpoints)
    except (KeyboardInterrupt, SystemExit):
        if not not_finite_in(objective.network):
            checkpoints.keep(state.checkpoint())
        raise
    if math.isinf(state.best):
        raise TrainingError(
            f"no validation of {objective.stage} has a finite score", fix=LESS_STEEP
        )
    objective.network.load_state_dict(state.best_weights)
    return state.history


def _train(
    training: "_Training",
    state: State,
    validate: Callable[[int], Score] | None,
    checkpoints: Checkpoints,
) -> None:
    with Progress(
        training.stage, total=training.steps, unit="steps", done=state.step,
        shown=training.task.compute.world.is_first,
        line=lambda left: f"{training.under_way(state)}  {left}",
    ) as progress:  # fmt: skip
        while not _is_over(training, state):
            for _ in training.rest_of_stretch(state):
                progress.advance()
                if checkpoints.is_due(epoch_ended=False):
                    training.keep(state, checkpoints)
            # Without validation each epoch is better than those before.
            number = len(state.history) + 1
            score = validate(number) if validate else Score(-float(number), {})
            with held():
                state.end_epoch(training.record(state, score), score.value)
            _say(progress, training, state.history[-1])
            if checkpoints.is_due(epoch_ended=True) | training.changes_threads(state):
                training.keep(state, checkpoints)
    training.keep(state, checkpoints)


def _go_on_with(newest: Checkpoint, compute: Compute) -> None:
    """On as many threads as before the break: another number would change the last bits."""
    if compute.most_threads is not None:
        limit_threads(min(newest.facts.threads or compute.most_threads, compute.most_threads))


def _is_over(training: "_Training", state: State) -> bool:
    patience, history = training.schedule.patience, state.history
    if state.validated >= training.steps:
        return True
    if patience is None or len(history) <= patience:
        return False
    if any(record.best for record in history[-patience:]):
        return False
    log.info("%s: the last %d validations were no better, stopping", training.stage, patience)
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
    def images(self) -> int:
        return len(self.task.train)

    @property
    def steps(self) -> int:
        return self.schedule.length.steps(self.images)

    def place(self, step: int) -> str:
        """Where in the training an error came up."""
        epoch = math.ceil(self.schedule.length.passes(step, self.images))
        return f"{self.stage}, step {step:,} of {self.steps:,} (epoch {epoch:,})"

    def keep(self, state: State, checkpoints: Checkpoints) -> None:
        """Keep a checkpoint of the state.

        Raises:
            TrainingError: a weight is not finite.
        """
        refuse_not_finite(state.network, self.place(state.step))
        checkpoints.keep(state.checkpoint())

    def announce(self, state: State) -> None:
        """Say how long it will take, on as many threads as are fastest."""
        if self.task.compute.world.size > 1:
            return  # a trial lasts until it has taken long enough, which each would judge alone
        trial, before = self._trial(state), torch.get_num_threads()
        most = None if state.step else self.task.compute.most_threads
        with held():  # or what the trial changes for a moment would be in the checkpoint
            rate = trial.images_per_second(most_threads=most)
        self._say_threads(before)
        log.info("%s", forecast(
            self.stage, self.schedule, done=state.step, images=self.images,
            validated=len(self.task.valid), rate=rate,
        ))  # fmt: skip

    def changes_threads(self, state: State) -> bool:
        """After a long stretch: whether another number of threads has become faster."""
        most, before = self.task.compute.most_threads, torch.get_num_threads()
        long_enough = state.history[-1].seconds > _WORTH_A_TRIAL
        if most is None or not long_enough or state.step == self.steps:
            return False
        with held():
            self._trial(state).images_per_second(most_threads=most)
        self._say_threads(before)
        return torch.get_num_threads() != before

    def _trial(self, state: State) -> Trial:
        batch = self.schedule.length.batch_of(self.images)
        return Trial(state.network, self.loss_of_batch, self.augment, self.task, batch)

    def _say_threads(self, before: int) -> None:
        """Where another number of threads than before has been chosen."""
        now, most = torch.get_num_threads(), self.task.compute.most_threads
        if now < before:
            said = "%s: on %d of %d threads, as the machine is busy with other things"
            log.info(said, self.stage, now, most)
        elif now > before:
            log.info("%s: on %d of %d threads again", self.stage, now, most)

    def under_way(self, state: State) -> str:
        """Where it is within a stretch."""
        return under_way(
            self.stage, self.schedule, step=state.step, images=self.images,
            train=state.means.means(),
        )  # fmt: skip

    def rest_of_stretch(self, state: State) -> Iterator[None]:
        """The steps until the next validation; after each, `state` is whole."""
        state.network.train()
        started = time.monotonic() - state.seconds
        last = self.schedule.length.end_of_stretch(state.validated, self.images)
        for batch in ahead(self._batches(state.step, last)):
            with held():
                self._step(state, batch)
                state.seconds = time.monotonic() - started
            yield

    def record(self, state: State, score: Score) -> EpochRecord:
        """The stretch whose steps are done."""
        return EpochRecord(
            stage=self.stage,
            epoch=self.schedule.length.passes(state.step, self.images),
            step=state.step,
            lr=self.schedule.lr_at(state.step / self.steps),
            seconds=round(state.seconds, 3),
            images_per_second=round(state.means.count / state.seconds, 1),
            train=state.means.means(),
            valid=finite(score.terms),
            best=state.is_better(score.value),
            health=score.health,
            probe=score.probe,
        )

    def _step(self, state: State, batch: "_Batch") -> None:
        compute, progress = self.task.compute, batch.step / self.steps
        images = to_unit(batch.images, compute.device)
        draws = Draws(self.task.seed, batch.number, batch.samples.to(compute.device))
        clean = self.augment.apply(images, draws)
        shared = shared_batch(compute.world, own=len(batch.positions), count=batch.count)
        with compute.autocast(), shared:
            loss = whole_loss(self.loss_of_batch(clean, batch.positions, draws, progress))
        where, lr = self.place(batch.step + 1), self.schedule.lr_at(progress)
        take_step(state.optimiser, loss, self.schedule, lr, where)
        state.means.add(loss, batch.count)
        state.step = batch.step + 1

    def _batches(self, first: int, last: int) -> Iterator["_Batch"]:
        """The batches of these steps; a stretch may pass over a small set several times."""
        images, compute = self.task.train, self.task.compute
        rows = torch.from_numpy(images.rows)
        size = self.schedule.length.batch_of(len(images))
        positions_at = self.task.order(len(images), size, self.task.seed)
        for step in range(first, last):
            number, whole = positions_at(step)
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


def _say(progress: Progress, training: _Training, record: EpochRecord) -> None:
    for name in [*record.valid][:1]:  # a narrow bar has room for one
        progress.note(f"valid {name} {loss_in_words(record.valid[name])}")
    line = of_stretch(record, training.schedule, training.images)
    left = progress.left() if record.step < training.steps else ""
    log.info("%s", f"{line}  {left}".rstrip())
    progress.said()
