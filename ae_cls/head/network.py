"""A network that classifies, an encoder and a linear layer on its features, and its training."""

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, final

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.compute import Compute
from ae_cls.dataset.rows import LabelledImages, to_unit
from ae_cls.encode.contract import EncodeConfig
from ae_cls.encode.encoder import Encoder
from ae_cls.evaluate.metrics import Measure, confusion_matrix, measured
from ae_cls.head.class_weight import (
    Weights,
    class_weights,
    weighed_cross_entropy,
    weight_facts,
)
from ae_cls.head.classifier import Classifier
from ae_cls.head.contract import HeadConfig
from ae_cls.head.fitted import Fact, FittedHead
from ae_cls.head.softmax import Softmax
from ae_cls.head.task import Learned, Task
from ae_cls.processes.batch import batch_sum, shared_batch
from ae_cls.train.loop import optimise
from ae_cls.train.loss import Loss
from ae_cls.train.record import EpochRecord, Score
from ae_cls.train.schedule import Schedule
from ae_cls.train.step import Group
from ae_cls.train.task import LossOfBatch, Objective, TrainTask

log = logging.getLogger(__name__)

SCHEDULE_KEPT = "nothing: the schedule is kept to its end"
"""What settings were chosen on where no label but those to learn from is read."""

# The log loss is squeezed below what one answer more or less changes in a measure: of accuracy 1/n,
# of the others about 1/n² with classes of unlike sizes.
_TIE = 1e-9
_STILL = 0.02  # nats; a training loss that falls by no more from one validation to the next


class EncoderHeadConfig(Schedule, HeadConfig, ABC):
    """What heads that train the encoder have in common: early layers learn slower."""

    trains_encoder: ClassVar[bool] = True
    name: Any  # a Literal in each subclass
    layer_decay: float = Field(
        gt=0, le=1, description="factor on the learning rate for each layer further from the output"
    )
    label_smoothing: float = Field(
        ge=0, lt=1, description="probability taken from the label and spread over all classes"
    )

    @final
    def fine_tuned(self, task: Task) -> Learned:
        """Encoder and linear layer, trained on the labelled images alone."""
        network, labels = network_of(task), torch.from_numpy(task.train.labels)
        weights = class_weights(self.class_weight, task.train.labels, len(task.class_names))
        return learned(
            network,
            layer_groups(network, self.layer_decay),
            lambda images, positions, draws, progress: classification_loss(
                network, images, labels[positions], weights, label_smoothing=self.label_smoothing
            ),
            stage=self.name,
            task=task,
            training=task.as_training(),
            schedule=self,
            facts=weight_facts(self.class_weight, weights),
        )

    @final
    def load(self, files: Mapping[str, bytes]) -> FittedHead:
        return Softmax.load(files, self.name)


class Classifying(nn.Module, ABC):
    """An encoder with what answers on top of it: gives the logits of each class.

    Attributes:
        encoder: in training.
        class_count: how many classes it answers with.
    """

    encoder: Autoencoder
    class_count: int

    @abstractmethod
    def as_head(self, name: str, facts: dict[str, Fact]) -> Softmax:
        """The part after the encoder, as every linear head is saved."""


@final
class Network(Classifying):
    """Encoder, features, normalisation, linear layer."""

    def __init__(
        self, encoder: Autoencoder, encode: EncodeConfig, *, features: int, class_count: int
    ) -> None:
        super().__init__()
        self.encoder, self.encode, self.class_count = encoder, encode, class_count
        # Features of all stages differ in scale by orders; without this the linear layer trains
        # at the pace of the largest.
        self.normalise = nn.BatchNorm1d(features, affine=False)
        self.to_logits = nn.Linear(features, class_count)
        nn.init.zeros_(self.to_logits.weight)
        nn.init.zeros_(self.to_logits.bias)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return self.to_logits(self.normalise(self.encode.features(self.encoder, images)))

    def as_head(self, name: str, facts: dict[str, Fact]) -> Softmax:
        running_mean, running_variance = self.normalise.running_mean, self.normalise.running_var
        assert running_mean is not None and running_variance is not None
        return Softmax(
            head=name,
            mean=_array(running_mean),
            scale=_array((running_variance + self.normalise.eps).sqrt()),
            weight=_array(self.to_logits.weight),
            bias=_array(self.to_logits.bias),
            facts=facts,
        )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()


def network_of(task: Task) -> Network:
    """The encoder that the task gives, copied, with a linear layer of zeros."""
    encoder = copy.deepcopy(task.encoder.model)
    probe = to_unit(task.train.images.take(torch.arange(1)), task.encoder.compute.device)
    with torch.inference_mode():
        features = task.encoder.encode.features(encoder.eval(), probe).shape[1]
    network = Network(
        encoder, task.encoder.encode, features=features, class_count=len(task.class_names)
    )
    return network.to(task.encoder.compute.device)


def layer_groups(network: Network, layer_decay: float) -> list[Group]:
    """The encoder's layers, early ones slower, and the linear layer."""
    return [*encoder_groups(network.encoder, layer_decay), Group([network.to_logits], 1.0)]


def encoder_groups(encoder: Autoencoder, layer_decay: float) -> list[Group]:
    """The encoder's layers, early ones slower."""
    layers = encoder.encoder_layers()
    rates = [layer_decay ** (len(layers) - depth) for depth in range(len(layers))]
    return [Group([layer], rate) for layer, rate in zip(layers, rates, strict=True)]


def rest_of(encoder: Autoencoder) -> Group:
    """What rebuilds, and is no layer of the encoder."""
    layers = {id(p) for layer in encoder.encoder_layers() for p in layer.parameters()}
    rest = nn.ParameterList(p for p in encoder.parameters() if id(p) not in layers)
    return Group([rest], rate=1.0, undecayed=encoder.undecayed())


def classification_loss(
    network: Network,
    images: Float[Tensor, "b c h w"],
    labels: Int64[Tensor, " b"],
    weights: Weights | None,
    *,
    label_smoothing: float,
) -> Loss:
    """Mean cross-entropy of the images, and the share that is answered rightly."""
    logits = network(images).float()
    labels = labels.to(logits.device)
    total = weighed_cross_entropy(logits, labels, weights, label_smoothing=label_smoothing)
    accuracy = (logits.argmax(1) == labels).float().mean()
    return Loss(total, {"accuracy": accuracy.detach()})


def learned(
    network: Classifying,
    groups: Sequence[Group],
    loss_of_batch: LossOfBatch,
    *,
    stage: str,
    task: Task,
    training: TrainTask,
    schedule: Schedule,
    facts: dict[str, Fact],
) -> Learned:
    """The network after its training, as a classifier.

    Args:
        network: changed in place.
        groups: what is trained.
        loss_of_batch: the number to go down.
        stage: the name of the head.
        task: says on what the best epoch is chosen, and by what.
        training: images and conditions.
        schedule: how long and how hard.
        facts: what else there is to say.
    """
    if task.valid is None and schedule.patience is not None:
        log.warning(
            "head.patience=%d has no effect: with labels.choose=within the schedule is kept",
            schedule.patience,
        )
    objective = Objective(stage, network, groups, loss_of_batch, _validation(network, task))
    history = optimise(objective, training, schedule)
    encoder = Encoder(network.encoder, task.encoder.encode, task.encoder.compute)
    said: dict[str, Fact] = {
        "converged": has_converged(history), "chosen_by": task.choose_by,
        "chosen_on": _chosen_on(task),
    }  # fmt: skip
    classifier = Classifier(encoder, network.as_head(stage, {**said, **facts}), task.class_names)
    return Learned(classifier, tuple(history))


def _validation(network: Classifying, task: Task) -> Callable[[int], Score] | None:
    valid = task.valid
    if valid is None:
        return None
    return lambda _: score(network, valid, task.encoder.compute, task.choose_by)


def has_converged(history: Sequence[EpochRecord]) -> bool | None:
    """Whether the training loss had stopped falling at the end; None where nothing tells."""
    if len(history) < 2:
        return None
    before, last = (record.train["loss"] for record in history[-2:])
    return before - last <= _STILL


def _chosen_on(task: Task) -> str:
    return f"{len(task.valid.labels):,} validation labels" if task.valid else SCHEDULE_KEPT


@torch.inference_mode()
def score(network: Classifying, valid: LabelledImages, compute: Compute, by: Measure) -> Score:
    """What the measure lacks to 1; ties go to the lower log loss, which the record has too."""
    network.eval()
    labels, classes = torch.from_numpy(valid.labels), network.class_count
    confusion, log_loss = np.zeros((classes, classes), np.int64), 0.0
    for whole in torch.arange(len(valid.images)).split(valid.images.at_a_time):
        positions = compute.world.share_of(whole)
        with compute.autocast():
            batch = to_unit(valid.images.take(positions), compute.device)
            logits = network(batch).float().cpu()
        with shared_batch(compute.world, own=len(positions), count=len(whole)):
            sums = batch_sum(_confusion_and_log_loss(logits, labels[positions])).numpy()
        confusion += sums[:-1].astype(np.int64).reshape(classes, classes)
        log_loss += float(sums[-1])
    log_loss /= len(labels)
    reached = {one: measured(one, confusion) for one in dict.fromkeys(("accuracy", by))}
    tie = _TIE * log_loss / (1 + log_loss)
    return Score(1 - reached[by] + tie, {"loss": log_loss, **reached})


def _confusion_and_log_loss(logits: Float[Tensor, "b k"], labels: Tensor) -> Float[Tensor, " s"]:
    """The confusion matrix, row by row, and the summed log loss."""
    confusion = confusion_matrix(labels.numpy(), logits.argmax(1).numpy(), logits.shape[1])
    log_loss = functional.cross_entropy(logits, labels, reduction="sum")
    return torch.cat([torch.from_numpy(confusion).flatten().double(), log_loss.double()[None]])
