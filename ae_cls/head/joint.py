"""Classification and reconstruction learnt together, from images with and without a label.

Zhao, Mathieu, Goroshin & LeCun 2015, Stacked what-where auto-encoders, arXiv 1506.02351.
Le, Patterson & White 2018, Supervised autoencoders, NeurIPS 31.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, final

import numpy as np
import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ae_cls.draws import Draws
from ae_cls.head.class_weight import Weights, class_weights, weighed_losses, weight_facts
from ae_cls.head.network import EncoderHeadConfig, Network, layer_groups, learned, network_of
from ae_cls.head.task import Learned, Task
from ae_cls.pretrain.gradient import validation_loss
from ae_cls.processes.batch import batch_sum
from ae_cls.train.loss import Loss
from ae_cls.train.order import Mixed
from ae_cls.train.step import Group
from ae_cls.train.task import TrainTask

_MEASURED = 512  # images on which the loss of the start is taken


@final
class JointConfig(EncoderHeadConfig):
    """Cross-entropy of images with a label, plus the autoencoder's own loss of all images.

    One batch has both kinds, and batch norms see them as one. An epoch is as many steps as a pass
    over all training images has. The autoencoder's loss is measured in units of what it is at the
    start, on some training images, so both parts begin near 1. Without its part (reconstruction=0)
    images without a label say nothing and are left out, which is fine-tuning.
    """

    learns_from_unlabelled: ClassVar[bool] = True
    name: Literal["joint"]
    reconstruction: float = Field(
        ge=0, description="weight of the autoencoder's loss, in units of that loss at the start"
    )
    decay: Literal["constant", "cosine"] = Field(
        description="whether this weight stays, or falls to 0 by half a cosine"
    )
    labelled_share: float = Field(
        gt=0, lt=1, description="of the images of a batch, if there are as many with a label"
    )

    def classify(self, task: Task) -> Learned:
        if self.reconstruction == 0:
            return self.fine_tuned(task)
        network, labels = network_of(task), torch.from_numpy(task.train.labels)
        weights = class_weights(self.class_weight, task.train.labels, len(task.class_names))
        facts = weight_facts(self.class_weight, weights)
        training = self._on_all_images(task)
        unit = _unit(network, training)
        both = _Both(self, network, labels, weights, unit)
        said = {"unlabelled_rows": len(task.unlabelled), "reconstruction_unit": unit}
        return learned(
            network,
            [*layer_groups(network, self.layer_decay), _rest_of(network)],
            both.loss,
            stage=self.name, task=task, training=training, schedule=self, facts={**facts, **said},
        )  # fmt: skip

    def weight_at(self, progress: float) -> float:
        """Of the autoencoder's loss, after this share of the steps."""
        fallen = 1.0 if self.decay == "constant" else 0.5 * (1 + math.cos(math.pi * progress))
        return self.reconstruction * fallen

    def _on_all_images(self, task: Task) -> TrainTask:
        """The labelled images first."""
        training = task.as_training()
        if not len(task.unlabelled):
            return training
        rows = np.concatenate([task.train.images.rows, task.unlabelled.rows])
        order = Mixed(len(task.train.labels), self.labelled_share)
        return replace(training, train=replace(training.train, rows=rows), order=order)


@final
@dataclass(frozen=True)
class _Both:
    """The loss of a mixed batch.

    Attributes:
        config: how its parts are weighed.
        network: in training.
        labels: of the first training images; the others have none.
        weights: of the classes.
        unit: of the autoencoder's loss.
    """

    config: JointConfig
    network: Network
    labels: Int64[Tensor, " n"]
    weights: Weights | None
    unit: float

    def loss(
        self,
        images: Float[Tensor, "b c h w"],
        positions: Int64[Tensor, " b"],
        draws: Draws,
        progress: float,
    ) -> Loss:
        entropy, accuracy = self._of_labelled(self.network(images).float(), positions)
        # What these maps look like in training, hidden cells and all, is not what is classified.
        with _statistics_kept(self.network.encoder):
            rebuilt = self.network.encoder.loss(images, draws, progress)
        total = entropy + self.config.weight_at(progress) * rebuilt.total / self.unit
        terms = {"accuracy": accuracy.detach(), "cross_entropy": entropy.detach()}
        return Loss(total, {**terms, **rebuilt.terms})

    def _of_labelled(
        self, logits: Float[Tensor, "b k"], positions: Int64[Tensor, " b"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Mean cross-entropy and accuracy of those images of the whole batch that have a label."""
        has_label = positions < len(self.labels)
        labels = self.labels[positions.where(has_label, 0)].to(logits.device)
        counts = has_label.to(logits)
        losses = weighed_losses(
            logits, labels, self.weights, label_smoothing=self.config.label_smoothing
        )
        right = (logits.argmax(1) == labels).to(logits)
        parts = torch.stack([losses * counts, right * counts, counts])
        loss, right, count = batch_sum(parts.sum(dim=1))
        return loss / count, right / count


def _unit(network: Network, training: TrainTask) -> float:
    """The autoencoder's loss before the first step; 1 where it has no size of its own."""
    few = replace(training, valid=training.train.sample(_MEASURED))
    loss = validation_loss(network.encoder, few).value
    return loss if loss > 0 else 1.0


def _rest_of(network: Network) -> Group:
    """What rebuilds, and is no layer of the encoder."""
    layers = {id(p) for layer in network.encoder.encoder_layers() for p in layer.parameters()}
    rest = nn.ParameterList(p for p in network.encoder.parameters() if id(p) not in layers)
    return Group([rest], rate=1.0, undecayed=network.encoder.undecayed())


@contextmanager
def _statistics_kept(network: nn.Module) -> Iterator[None]:
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
