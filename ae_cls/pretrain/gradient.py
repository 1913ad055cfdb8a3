"""Pretraining by gradient descent on the autoencoder's own loss."""

from collections.abc import Callable
from typing import Literal, final

import torch
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.dataset.rows import to_unit
from ae_cls.draws import Draws
from ae_cls.pretrain.contract import PretrainConfig
from ae_cls.processes.batch import shared_batch
from ae_cls.train.loop import optimise, whole_loss
from ae_cls.train.loss import Loss
from ae_cls.train.record import EpochRecord, Means, Score
from ae_cls.train.schedule import Schedule
from ae_cls.train.step import Group
from ae_cls.train.task import Objective, TrainTask


@final
class GradientPretraining(Schedule, PretrainConfig):
    """What has a closed form is solved, the rest follows the gradient until the schedule ends."""

    name: Literal["gradient"]

    def fit(
        self,
        model: Autoencoder,
        task: TrainTask,
        *,
        validate: Callable[[], Score] | None = None,
    ) -> list[EpochRecord]:
        """Train `model` in place; the epoch that `validate` scores lowest is kept.

        Args:
            model: to train.
            task: images and conditions.
            validate: None: the model's own loss on the validation images.

        Raises:
            TrainingError: a loss is not finite.
        """
        solve(model, task)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            return []
        return optimise(of_whole(model, task, validate), task, self)


def solve(model: Autoencoder, task: TrainTask) -> None:
    """Find in closed form what has one, in the first process, for all."""
    if task.compute.world.is_first:
        model.fit_closed_form(task.train, task.seed)
    task.compute.world.copy_from_first(model.state_dict().values())


def of_whole(
    model: Autoencoder, task: TrainTask, validate: Callable[[], Score] | None = None
) -> Objective:
    """Training of all weights by the model's own loss."""
    return Objective(
        stage="pretrain",
        network=model,
        groups=[Group([model], rate=1.0, undecayed=model.undecayed())],
        loss_of_batch=lambda images, positions, draws, progress: model.loss(
            images, draws, progress
        ),
        validate=validate or (lambda: validation_loss(model, task)),
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
