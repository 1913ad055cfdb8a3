"""Classification and reconstruction learnt together, from images with and without a label.

Zhao, Mathieu, Goroshin & LeCun 2015, Stacked what-where auto-encoders, arXiv 1506.02351.
Le, Patterson & White 2018, Supervised autoencoders, NeurIPS 31.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, final

from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from ae_cls.draws import Draws
from ae_cls.head.network import Network, layer_groups, learned, network_of, rest_of
from ae_cls.head.semi_supervised import SemiSupervisedConfig, Shown, statistics_kept
from ae_cls.head.task import Learned, Task
from ae_cls.pretrain.gradient import validation_loss
from ae_cls.train.loss import Loss
from ae_cls.train.task import TrainTask

_MEASURED = 512  # images on which the loss of the start is taken


@final
class JointConfig(SemiSupervisedConfig):
    """Cross-entropy of images with a label, plus the autoencoder's own loss of all images.

    The autoencoder's loss is measured in units of what it is at the start, on some training images,
    so both parts begin near 1. Without its part (reconstruction=0) images without a label say
    nothing and are left out, which is fine-tuning.
    """

    name: Literal["joint"]
    reconstruction: float = Field(
        ge=0, description="weight of the autoencoder's loss, in units of that loss at the start"
    )
    decay: Literal["constant", "cosine"] = Field(
        description="whether this weight stays, or falls to 0 by half a cosine"
    )

    def classify(self, task: Task) -> Learned:
        if self.reconstruction == 0:
            return self.fine_tuned(task)
        network, training = network_of(task), self.on_all_images(task)
        unit = _unit(network, training)
        both = _Both(self, network, self.shown(task), unit)
        return learned(
            network,
            [*layer_groups(network, self.layer_decay), rest_of(network.encoder)],
            both.loss,
            stage=self.name, task=task, training=training, schedule=self,
            facts={**self.facts_of(task), "reconstruction_unit": unit},
        )  # fmt: skip

    def weight_at(self, progress: float) -> float:
        """Of the autoencoder's loss, after this share of the steps."""
        fallen = 1.0 if self.decay == "constant" else 0.5 * (1 + math.cos(math.pi * progress))
        return self.reconstruction * fallen


@final
@dataclass(frozen=True)
class _Both:
    """The loss of a mixed batch.

    Attributes:
        config: how its parts are weighed.
        network: in training.
        shown: the labels of the first training images; the others have none.
        unit: of the autoencoder's loss.
    """

    config: JointConfig
    network: Network
    shown: Shown
    unit: float

    def loss(
        self,
        images: Float[Tensor, "b c h w"],
        positions: Int64[Tensor, " b"],
        draws: Draws,
        progress: float,
    ) -> Loss:
        entropy, accuracy = self.shown.entropy_and_accuracy(self.network(images).float(), positions)
        # What these maps look like in training, hidden cells and all, is not what is classified.
        with statistics_kept(self.network.encoder):
            rebuilt = self.network.encoder.loss(images, draws, progress)
        total = entropy + self.config.weight_at(progress) * rebuilt.total / self.unit
        terms = {"accuracy": accuracy.detach(), "cross_entropy": entropy.detach()}
        return Loss(total, {**terms, **rebuilt.terms})


def _unit(network: Network, training: TrainTask) -> float:
    """The autoencoder's loss before the first step; 1 where it has no size of its own."""
    few = replace(training, valid=training.train.sample(_MEASURED))
    loss = validation_loss(network.encoder, few).value
    return loss if loss > 0 else 1.0
