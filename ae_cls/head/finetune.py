"""Fine-tuning: encoder and a linear layer trained together on the labelled images."""

from collections.abc import Mapping
from typing import ClassVar, Literal, final

import torch
from pydantic import Field

from ae_cls.head.class_weight import class_weights, weight_facts
from ae_cls.head.contract import HeadConfig
from ae_cls.head.fitted import FittedHead
from ae_cls.head.network import classification_loss, layer_groups, learned, network_of
from ae_cls.head.softmax import Softmax
from ae_cls.head.task import Learned, Task
from ae_cls.train.schedule import Schedule


@final
class FinetuneConfig(Schedule, HeadConfig):
    """The whole encoder, early layers slower; the weights of the best validation epoch are kept.

    Without validation labels the schedule is kept to its end, and the last weights.
    With class weights, an image's log loss counts as much as its class weighs.
    """

    trains_encoder: ClassVar[bool] = True
    name: Literal["finetune"]
    layer_decay: float = Field(
        gt=0, le=1, description="factor on the learning rate for each layer further from the output"
    )
    label_smoothing: float = Field(
        ge=0, lt=1, description="probability taken from the label and spread over all classes"
    )

    def classify(self, task: Task) -> Learned:
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

    def load(self, files: Mapping[str, bytes]) -> FittedHead:
        return Softmax.load(files, self.name)
