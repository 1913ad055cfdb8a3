"""What heads have in common that train the encoder on images with and without a label."""

from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ae_cls.head.class_weight import Weights, class_weights, weighed_losses, weight_facts
from ae_cls.head.fitted import Fact
from ae_cls.head.network import EncoderHeadConfig
from ae_cls.head.task import Task
from ae_cls.processes.batch import batch_sum
from ae_cls.train.order import Mixed
from ae_cls.train.task import TrainTask


class SemiSupervisedConfig(EncoderHeadConfig, ABC):
    """One batch has both kinds of images, and batch norms see them as one.

    An epoch is as many steps as a pass over all training images has.
    """

    learns_from_unlabelled: ClassVar[bool] = True
    labelled_share: float = Field(
        gt=0, lt=1, description="of the images of a batch, if there are as many with a label"
    )

    @final
    def on_all_images(self, task: Task) -> TrainTask:
        """The labelled images first."""
        training = task.as_training()
        if not len(task.unlabelled):
            return training
        rows = np.concatenate([task.train.images.rows, task.unlabelled.rows])
        order = Mixed(len(task.train.labels), self.labelled_share)
        return replace(training, train=replace(training.train, rows=rows), order=order)

    @final
    def shown(self, task: Task) -> "Shown":
        """The labels, and how they are weighed."""
        weights = class_weights(self.class_weight, task.train.labels, len(task.class_names))
        return Shown(torch.from_numpy(task.train.labels), weights, self.label_smoothing)

    @final
    def facts_of(self, task: Task) -> dict[str, Fact]:
        """What metrics.json says of the images and of the weights of the classes."""
        weights = self.shown(task).weights
        of_weights = weight_facts(self.class_weight, weights)
        return {**of_weights, "unlabelled_rows": len(task.unlabelled)}


@final
@dataclass(frozen=True)
class Shown:
    """The labels of the first training images; the others have none.

    Attributes:
        labels: one of each of these images.
        weights: of the classes.
        label_smoothing: probability taken from the label and spread over all classes.
    """

    labels: Int64[Tensor, " n"]
    weights: Weights | None
    label_smoothing: float

    def of(self, positions: Int64[Tensor, " b"]) -> tuple[Bool[Tensor, " b"], Int64[Tensor, " b"]]:
        """Which of the images at these positions have a label, and it; else any label."""
        has_label = positions < len(self.labels)
        return has_label, self.labels[positions.where(has_label, 0)]

    def entropy_and_accuracy(
        self, logits: Float[Tensor, "b k"], positions: Int64[Tensor, " b"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Mean cross-entropy and accuracy of those images of the whole batch that have a label."""
        has_label, labels = (part.to(logits.device) for part in self.of(positions))
        counts = has_label.to(logits)
        losses = weighed_losses(logits, labels, self.weights, label_smoothing=self.label_smoothing)
        right = (logits.argmax(1) == labels).to(logits)
        parts = torch.stack([losses * counts, right * counts, counts])
        loss, right, count = batch_sum(parts.sum(dim=1))
        return loss / count, right / count


@contextmanager
def statistics_kept(network: nn.Module) -> Iterator[None]:
    """Inside, batch norms use the batch and do not remember it."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
