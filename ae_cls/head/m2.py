"""The semi-supervised variational autoencoder: the class is a part of the code, often not seen.

Kingma, Mohamed, Rezende & Welling 2014, Semi-supervised learning with deep generative models, NIPS,
arXiv 1406.5298, model M2.
"""

import copy
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np
import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor
from torch.nn.functional import one_hot

from ae_cls.autoencoder.conditional_vae import ClassCosts, ConditionalVae, with_entropy
from ae_cls.draws import Draws
from ae_cls.head.fitted import Fact
from ae_cls.head.network import Classifying, encoder_groups, learned, rest_of
from ae_cls.head.semi_supervised import SemiSupervisedConfig, Shown
from ae_cls.head.softmax import Softmax
from ae_cls.head.task import Learned, Task
from ae_cls.processes.batch import batch_sum
from ae_cls.train.loss import Loss


@final
class M2Config(SemiSupervisedConfig):
    """The bound on the log-likelihood of images and labels, plus cross-entropy of those labels.

    It trains the whole autoencoder, decoder included, whose own probabilities of the classes are
    the answer. Images with a label count in the bound as their share of all training images, not as
    their share of a batch.
    """

    answers_with_code: ClassVar[bool] = True
    name: Literal["m2"]
    classification: float = Field(
        ge=0,
        description="weight of the mean cross-entropy in nats, where the bound is in nats an image "
        "(the article's alpha, divided by the number of images)",
    )

    def classify(self, task: Task) -> Learned:
        encoder = copy.deepcopy(task.encoder.model)
        assert isinstance(encoder, ConditionalVae), "its config tells classes apart"
        network = _OwnClasses(encoder)
        count, unlabelled = len(task.train.labels), len(task.unlabelled)
        both = _Bound(self, encoder, self.shown(task), count / (count + unlabelled))
        return learned(
            network,
            [*encoder_groups(encoder, self.layer_decay), rest_of(encoder)],
            both.loss,
            stage=self.name, task=task, training=self.on_all_images(task), schedule=self,
            facts=self.facts_of(task),
        )  # fmt: skip


@final
class _OwnClasses(Classifying):
    """The autoencoder's probabilities of the classes, which stand at the end of its code."""

    def __init__(self, encoder: ConditionalVae) -> None:
        super().__init__()
        self.encoder, self.class_count = encoder, encoder.config.classes
        self.numbers = encoder.config.latent_dim + self.class_count

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return self.encoder.encode(images)[:, -self.class_count :]

    def as_head(self, name: str, facts: dict[str, Fact]) -> Softmax:
        count, numbers = self.class_count, self.numbers
        return Softmax(
            head=name,
            mean=np.zeros(numbers, np.float32),
            scale=np.ones(numbers, np.float32),
            weight=np.eye(count, numbers, k=numbers - count, dtype=np.float32),
            bias=np.zeros(count, np.float32),
            facts=facts,
        )


@final
@dataclass(frozen=True)
class _Bound:
    """The loss of a mixed batch.

    Attributes:
        config: how its parts are weighed.
        encoder: in training.
        shown: the labels of the first training images; the others have none.
        share: of all training images that have a label.
    """

    config: M2Config
    encoder: ConditionalVae
    shown: Shown
    share: float

    def loss(
        self,
        images: Float[Tensor, "b c h w"],
        positions: Int64[Tensor, " b"],
        draws: Draws,
        progress: float,
    ) -> Loss:
        costs = self.encoder.class_costs(images, draws)
        bound = self._bound(costs, positions, progress)
        entropy, accuracy = self.shown.entropy_and_accuracy(costs.log_probabilities, positions)
        terms = {"accuracy": accuracy.detach(), "cross_entropy": entropy.detach(), **bound.terms}
        return Loss(bound.total + self.config.classification * entropy, terms)

    def _bound(self, costs: ClassCosts, positions: Int64[Tensor, " b"], progress: float) -> Loss:
        """The article's L of images with a label, its U of the others."""
        logs = costs.log_probabilities
        has_label, labels = (part.to(logs.device) for part in self.shown.of(positions))
        guessed, entropy = with_entropy(logs)
        known = one_hot(labels, logs.shape[1]).to(logs)
        probabilities = torch.where(has_label[:, None], known, guessed)
        counts = has_label.to(logs)
        both = torch.stack([counts, 1 - counts])
        # An empty part of a batch weighs nothing: 0 / 1.
        of_each = batch_sum(both.sum(1)).clamp_min(1)
        shares = logs.new_tensor([self.share, 1 - self.share]) / of_each
        return self.encoder.bound(
            costs, probabilities, entropy * (1 - counts), shares @ both, progress
        )
