"""The one training loop: autoencoders and fine-tuned classifiers go through it."""

import copy
import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from tqdm import tqdm

from ae_cls.autoencoder.contract import Loss
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.draws import Draws, generator
from ae_cls.errors import TrainingError
from ae_cls.pretrain.augment import Augment
from ae_cls.pretrain.schedule import Schedule

log = logging.getLogger(__name__)

LossOfBatch = Callable[
    [Float[Tensor, "b c h w"], Int64[Tensor, " b"], Draws, float],
    Loss,
]
"""The loss of clean images, given their positions among the training images, draws and progress."""


@final
@dataclass(frozen=True)
class Score:
    """One validation: lower is better; `terms` are for the record."""

    value: float
    terms: Mapping[str, float]


@final
@dataclass(frozen=True)
class EpochRecord:
    """One line of history.jsonl."""

    stage: str
    epoch: int
    lr: float
    seconds: float
    images_per_second: float
    train: Mapping[str, float]
    valid: Mapping[str, float]
    best: bool

    def as_dict(self) -> dict[str, object]:
        """The record as JSON holds it."""
        return asdict(self)


@final
@dataclass(frozen=True)
class Group:
    """Modules that share a learning rate.

    Attributes:
        modules: whose parameters are trained.
        rate: factor on the schedule's learning rate.
    """

    modules: Sequence[nn.Module]
    rate: float


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
        stage, images, loss_of_batch, schedule, augment, seed, compute, _optimiser(groups, schedule)
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
        started, terms = time.monotonic(), _Means()
        for step, positions, draws in self._batches(epoch):
            progress = step / self.steps
            loss = self._loss(positions, draws, progress)
            where = f"{self.stage}, epoch {epoch + 1}, step {step + 1}"
            _step(self.optimiser, loss, self.schedule, self.schedule.lr_at(progress), where)
            terms.add(loss, len(positions))
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

    def _loss(self, positions: Int64[Tensor, " b"], draws: Draws, progress: float) -> Loss:
        batch = to_unit(self.images.take(positions), self.compute.device)
        clean = self.augment.apply(batch, draws)
        with self.compute.autocast():
            return self.loss_of_batch(clean, positions, draws, progress)

    def _batches(self, epoch: int) -> Iterator[tuple[int, Int64[Tensor, " b"], Draws]]:
        """Step, positions and draws; a small set is passed over several times in one epoch."""
        rows = torch.from_numpy(self.images.rows)
        orders = _passes(len(self.images), self.schedule.batch_size, self.seed)
        first = epoch * self.steps_in_epoch
        for step in range(first, first + self.steps_in_epoch):
            number, positions = orders(step)
            samples = rows[positions].to(self.compute.device)
            yield step, positions, Draws(self.seed, number, samples)


def _passes(
    count: int, batch_size: int, seed: int
) -> Callable[[int], tuple[int, Int64[Tensor, " b"]]]:
    """Pass number and positions of a step of the whole training; each pass has a new order."""
    steps = math.ceil(count / batch_size)

    @lru_cache(maxsize=1)
    def order(number: int) -> Int64[Tensor, " n"]:
        # Drawn on the CPU, so that batches are the same on every device.
        return torch.randperm(count, generator=generator(seed, "order", number))

    def positions(step: int) -> tuple[int, Int64[Tensor, " b"]]:
        number, place = divmod(step, steps)
        return number, order(number)[place * batch_size : (place + 1) * batch_size]

    return positions


def _optimiser(groups: Sequence[Group], schedule: Schedule) -> torch.optim.Optimizer:
    options: list[dict[str, object]] = []
    for group in groups:
        parameters = [p for module in group.modules for p in module.parameters()]
        decayed = [p for p in parameters if p.ndim >= 2]
        exempt = [p for p in parameters if p.ndim < 2]
        options.append({"params": decayed, "rate": group.rate})
        options.append({"params": exempt, "rate": group.rate, "weight_decay": 0.0})
    kind = torch.optim.AdamW if schedule.optimiser == "adamw" else torch.optim.Adam
    return kind(options, lr=schedule.lr, weight_decay=schedule.weight_decay, fused=True)


def _step(
    optimiser: torch.optim.Optimizer, loss: Loss, schedule: Schedule, lr: float, where: str
) -> None:
    for group in optimiser.param_groups:
        group["lr"] = lr * group["rate"]
    optimiser.zero_grad(set_to_none=True)
    loss.total.backward()
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    norm = nn.utils.clip_grad_norm_(parameters, schedule.clip)
    # One number tells about both: a loss that is not finite has no finite gradient.
    if not math.isfinite(loss.total.item() + norm.item()):
        raise TrainingError(
            "the loss or its gradient is not finite; the weights of the step before were kept",
            where=where,
            why=f"loss {loss.total.item():g}, gradient norm {norm.item():g}, learning rate {lr:g}",
            fix="a lower lr, a longer warm_up or precision=fp32",
        )
    optimiser.step()


@final
class _Means:
    """Means of loss terms over images."""

    def __init__(self) -> None:
        self.count = 0
        self.sums: defaultdict[str, float] = defaultdict(float)

    def add(self, loss: Loss, images: int) -> None:
        self.count += images
        for name, term in {"loss": loss.total.detach(), **loss.terms}.items():
            self.sums[name] += float(term) * images

    def means(self) -> dict[str, float]:
        return {name: total / self.count for name, total in self.sums.items()}


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
