"""Pretraining by gradient descent on the autoencoder's own loss."""

from collections.abc import Callable
from typing import Literal, final

import torch
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.draws import Draws
from ae_cls.pretrain.contract import PretrainConfig
from ae_cls.processes.batch import shared_batch
from ae_cls.train.checkpoint import Checkpoints
from ae_cls.train.loop import optimise, whole_loss
from ae_cls.train.loss import Loss
from ae_cls.train.record import EpochRecord, Means, Score
from ae_cls.train.schedule import Schedule
from ae_cls.train.step import Group

_VALID_BATCH = 512  # images at a time


@final
class GradientPretraining(Schedule, PretrainConfig):
    """What has a closed form is solved, the rest follows the gradient until the schedule ends."""

    name: Literal["gradient"]

    def fit(
        self,
        model: Autoencoder,
        train: ImageRows,
        valid: ImageRows,
        *,
        mirrored_is_same: bool,
        seed: int,
        compute: Compute,
        checkpoints: Checkpoints,
    ) -> list[EpochRecord]:
        return self.follow(
            model,
            train,
            lambda: validation_loss(model, valid, seed=seed, compute=compute),
            stage="pretrain",
            mirrored_is_same=mirrored_is_same,
            seed=seed,
            compute=compute,
            checkpoints=checkpoints,
        )

    def follow(
        self,
        model: Autoencoder,
        train: ImageRows,
        validate: Callable[[], Score],
        *,
        stage: str,
        mirrored_is_same: bool,
        seed: int,
        compute: Compute,
        checkpoints: Checkpoints,
    ) -> list[EpochRecord]:
        """Train `model` in place and keep the epoch that `validate` likes best.

        Raises:
            TrainingError: a loss is not finite.
        """
        if compute.world.is_first:
            model.fit_closed_form(train, seed)
        compute.world.copy_from_first(model.state_dict().values())
        if not any(parameter.requires_grad for parameter in model.parameters()):
            return []

        def loss_of_batch(images: Tensor, positions: Tensor, draws: Draws, progress: float) -> Loss:
            return model.loss(images, draws, progress)

        return optimise(
            model,
            stage=stage,
            groups=[Group([model], rate=1.0)],
            images=train,
            loss_of_batch=loss_of_batch,
            validate=validate,
            schedule=self,
            augment=self.augment.for_dataset(mirrored_is_same=mirrored_is_same),
            seed=seed,
            compute=compute,
            checkpoints=checkpoints,
        )


@torch.inference_mode()
def validation_loss(model: Autoencoder, images: ImageRows, *, seed: int, compute: Compute) -> Score:
    """The loss over `images` with the same corruption each time, so that epochs can be compared."""
    model.eval()
    terms = Means()
    for whole in torch.arange(len(images)).split(_VALID_BATCH):
        positions = compute.world.part(whole)
        batch = to_unit(images.take(positions), compute.device)
        samples = torch.from_numpy(images.rows)[positions].to(compute.device)
        shared = shared_batch(compute.world, own=len(positions), count=len(whole))
        with compute.autocast(allowed=model.allows_bf16), shared:
            loss = whole_loss(model.loss(batch, Draws(seed, 0, samples), progress=1.0))
        terms.add(loss, len(whole))
    means = terms.means()
    return Score(means["loss"], means)
