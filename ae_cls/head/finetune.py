"""Fine-tuning: encoder and a linear layer trained together on the labelled images."""

import copy
from collections.abc import Mapping
from typing import ClassVar, Literal, final

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.compute import Compute
from ae_cls.dataset.rows import LabelledImages, to_unit
from ae_cls.encode.contract import EncodeConfig
from ae_cls.encode.encoder import Encoder
from ae_cls.head.classifier import Classifier
from ae_cls.head.contract import HeadConfig
from ae_cls.head.fitted import FittedHead
from ae_cls.head.softmax import Softmax
from ae_cls.head.task import Learned, Task
from ae_cls.processes.batch import batch_sum, shared_batch
from ae_cls.train.loop import optimise
from ae_cls.train.loss import Loss
from ae_cls.train.record import Score
from ae_cls.train.schedule import Schedule
from ae_cls.train.step import Group
from ae_cls.train.task import Objective

_VALID_BATCH = 512  # images at a time


@final
class FinetuneConfig(Schedule, HeadConfig):
    """The whole encoder, early layers slower; the weights of the best validation epoch are kept."""

    trains_encoder: ClassVar[bool] = True
    name: Literal["finetune"]
    layer_decay: float = Field(
        gt=0, le=1, description="factor on the learning rate for each layer further from the output"
    )
    label_smoothing: float = Field(
        ge=0, lt=1, description="probability taken from the label and spread over all classes"
    )

    def classify(self, task: Task) -> Learned:
        network = _network(task)
        objective = Objective(
            stage="finetune",
            network=network,
            groups=_groups(network, self.layer_decay),
            loss_of_batch=lambda images, positions, draws, progress: self._loss(
                network, images, torch.from_numpy(task.train.labels)[positions]
            ),
            validate=lambda: score(network, task.valid, task.encoder.compute),
        )
        history = optimise(objective, task.as_training(), self)
        encoder = Encoder(network.encoder, task.encoder.encode, task.encoder.compute)
        classifier = Classifier(encoder, network.as_head(), task.class_names)
        return Learned(classifier, tuple(history))

    def load(self, files: Mapping[str, bytes]) -> FittedHead:
        return Softmax.load(files, self.name)

    def _loss(self, network: "Network", images: Tensor, labels: Tensor) -> Loss:
        logits = network(images).float()
        labels = labels.to(logits.device)
        total = functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        accuracy = (logits.argmax(1) == labels).float().mean()
        return Loss(total, {"accuracy": accuracy.detach()})


@final
class Network(nn.Module):
    """Encoder, features, normalisation, linear layer."""

    def __init__(
        self, encoder: Autoencoder, encode: EncodeConfig, *, features: int, class_count: int
    ) -> None:
        super().__init__()
        self.encoder, self.encode = encoder, encode
        # Features of all stages differ in scale by orders; without this the linear layer trains
        # at the pace of the largest.
        self.normalise = nn.BatchNorm1d(features, affine=False)
        self.to_logits = nn.Linear(features, class_count)
        nn.init.zeros_(self.to_logits.weight)
        nn.init.zeros_(self.to_logits.bias)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return self.to_logits(self.normalise(self.encode.features(self.encoder, images)))

    def as_head(self) -> Softmax:
        """The part after the encoder, as every linear head is saved."""
        running_mean, running_variance = self.normalise.running_mean, self.normalise.running_var
        assert running_mean is not None and running_variance is not None
        return Softmax(
            head="finetune",
            mean=_array(running_mean),
            scale=_array((running_variance + self.normalise.eps).sqrt()),
            weight=_array(self.to_logits.weight),
            bias=_array(self.to_logits.bias),
            facts={"converged": True},
        )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()


def _network(task: Task) -> Network:
    encoder = copy.deepcopy(task.encoder.model)
    probe = to_unit(task.train.images.take(torch.arange(1)), task.encoder.compute.device)
    with torch.inference_mode():
        features = task.encoder.encode.features(encoder.eval(), probe).shape[1]
    network = Network(
        encoder, task.encoder.encode, features=features, class_count=len(task.class_names)
    )
    return network.to(task.encoder.compute.device)


def _groups(network: Network, layer_decay: float) -> list[Group]:
    layers = network.encoder.encoder_layers()
    rates = [layer_decay ** (len(layers) - depth) for depth in range(len(layers))]
    groups = [Group([layer], rate) for layer, rate in zip(layers, rates, strict=True)]
    return [*groups, Group([network.to_logits], 1.0)]


@torch.inference_mode()
def score(network: Network, valid: LabelledImages, compute: Compute) -> Score:
    """Validation error, and log loss for the record; ties go to the lower log loss."""
    network.eval()
    labels = torch.from_numpy(valid.labels)
    wrong, log_loss = 0, 0.0
    for whole in torch.arange(len(valid.images)).split(_VALID_BATCH):
        positions = compute.world.share_of(whole)
        with compute.autocast():
            batch = to_unit(valid.images.take(positions), compute.device)
            logits = network(batch).float().cpu()
        with shared_batch(compute.world, own=len(positions), count=len(whole)):
            sums = batch_sum(_wrong_and_log_loss(logits, labels[positions]))
        wrong, log_loss = wrong + int(sums[0]), log_loss + float(sums[1])
    error, log_loss = wrong / len(labels), log_loss / len(labels)
    # One image more or less weighs at least 1/n; the log loss, squeezed below that, breaks ties.
    tie = log_loss / (1 + log_loss) / (2 * len(labels))
    return Score(error + tie, {"loss": log_loss, "accuracy": 1 - error})


def _wrong_and_log_loss(logits: Float[Tensor, "b k"], labels: Tensor) -> Float[Tensor, " 2"]:
    wrong = (logits.argmax(1) != labels).sum()
    log_loss = functional.cross_entropy(logits, labels, reduction="sum")
    return torch.stack([wrong.double(), log_loss.double()])
