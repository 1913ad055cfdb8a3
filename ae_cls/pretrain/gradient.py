"""Pretraining by gradient descent on the autoencoder's own loss."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, final

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.dataset.rows import to_unit
from ae_cls.draws import Draws
from ae_cls.pretrain.contract import PretrainSchedule, Probe
from ae_cls.pretrain.health import HealthCheck
from ae_cls.processes.batch import shared_batch
from ae_cls.train.loop import optimise, whole_loss
from ae_cls.train.loss import Loss
from ae_cls.train.record import EpochRecord, Means, Score
from ae_cls.train.step import Group
from ae_cls.train.task import Objective, TrainTask


@final
class GradientPretraining(PretrainSchedule):
    """What has a closed form is solved, the rest follows the gradient until the schedule ends."""

    name: Literal["gradient"]
    # Models that were saved before there was a choice watched the loss alone.
    probe_every: int | None = Field(
        default=None,
        ge=1,
        description="epochs from one probe to the next: how well a linear classifier tells the "
        "labels of the budget apart, each by the others; null: never, and no label is read",
    )
    keep: Literal["last", "best_loss", "best_probe"] = Field(
        default="best_loss",
        description="weights that stay: of the last epoch, whatever `patience` says; of that with "
        "the least validation loss; or of that with the best probe, chosen by labels",
    )

    @model_validator(mode="after")
    def _there_is_a_probe_to_choose_by(self) -> "GradientPretraining":
        if self.keep != "best_probe":
            return self
        if self.probe_every is None:
            raise ValueError("keep=best_probe needs a probe: probe_every=1")
        if self.probe_every > min(self.epochs, self.patience or self.epochs):
            raise ValueError(
                f"keep=best_probe: probe_every={self.probe_every} must not be above epochs or "
                "patience, or training ends before there is a probe to choose by"
            )
        return self

    @property
    def reads_labels(self) -> bool:
        return self.probe_every is not None

    @property
    def chooses_by_labels(self) -> bool:
        return self.keep == "best_probe"

    def fit(
        self,
        model: Autoencoder,
        task: TrainTask,
        probe: Probe | None = None,
        *,
        validate: Callable[[int], Score] | None = None,
    ) -> list[EpochRecord]:
        """Train `model` in place; the epoch that `keep` names stays, or `validate` scores lowest.

        Args:
            model: to train.
            task: images and conditions.
            probe: where it `reads_labels`.
            validate: None: by the model's own loss on the validation images, and by `keep`.

        Raises:
            TrainingError: a loss is not finite.
        """
        solve(model, task)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            return []
        validate = validate or self._validation(model, task, probe)
        return optimise(of_whole(model, validate), task, self)

    def _validation(
        self, model: Autoencoder, task: TrainTask, probe: Probe | None
    ) -> Callable[[int], Score]:
        watched = with_health(model, task)

        def validate(number: int) -> Score:
            is_due = self.probe_every is not None and number % self.probe_every == 0
            return replace(watched(number), probe=probe(model) if probe and is_due else None)

        return lambda number: self._by_keep(validate(number), number)

    def _by_keep(self, score: Score, number: int) -> Score:
        """The score of an epoch with the value by which the best one is chosen."""
        match self.keep:
            case "best_loss":
                return score
            case "last":
                value = -float(number) if math.isfinite(score.value) else math.inf
            case "best_probe":
                value = math.inf if score.probe is None else 1 - score.probe
        return replace(score, value=value)


def solve(model: Autoencoder, task: TrainTask) -> None:
    """Find in closed form what has one, in the first process, for all."""
    if task.compute.world.is_first:
        model.fit_scales(task.train)
        model.fit_closed_form(task.train, task.seed)
    task.compute.world.copy_from_first(model.state_dict().values())


def of_whole(model: Autoencoder, validate: Callable[[int], Score]) -> Objective:
    """Training of all weights by the model's own loss."""
    return Objective(
        stage="pretrain",
        network=model,
        groups=[
            Group(modules, rate=rate, undecayed=model.undecayed())
            for modules, rate in model.rates()
        ],
        loss_of_batch=lambda images, positions, draws, progress: model.loss(
            images, draws, progress
        ),
        validate=validate,
    )


def with_health(model: Autoencoder, task: TrainTask) -> Callable[[int], Score]:
    """The loss on the validation images after an epoch, and how healthy the network is."""
    # The first process alone writes the record; health decides nothing.
    health = HealthCheck.of(model, task) if task.compute.world.is_first else None
    return lambda _: replace(
        validation_loss(model, task), health=health.measure(model) if health else {}
    )


def validation_loss(model: Autoencoder, task: TrainTask) -> Score:
    """The loss over `task.valid` with the same corruption each time: epochs can be compared."""
    return mean_loss(model, model.loss, task)


@torch.inference_mode()
def mean_loss(
    network: nn.Module, loss_of: Callable[[Tensor, Draws, float], Loss], task: TrainTask
) -> Score:
    """As `validation_loss`, of a network in training and what is to go down."""
    network.eval()
    images, compute, terms = task.valid, task.compute, Means()
    for whole in torch.arange(len(images)).split(images.at_a_time):
        positions = compute.world.share_of(whole)
        batch = to_unit(images.take(positions), compute.device)
        samples = torch.from_numpy(images.rows)[positions].to(compute.device)
        shared = shared_batch(compute.world, own=len(positions), count=len(whole))
        with compute.autocast(), shared:
            loss = whole_loss(loss_of(batch, Draws(task.seed, 0, samples), 1.0))
        terms.add(loss, len(whole))
    means = terms.means()
    return Score(means["loss"], means)
