"""Fine-tuning: encoder and a linear layer trained together on the labelled images."""

from typing import Literal, final

from ae_cls.head.network import EncoderHeadConfig
from ae_cls.head.task import Learned, Task


@final
class FinetuneConfig(EncoderHeadConfig):
    """The whole encoder, early layers slower; the weights of the best validation epoch are kept.

    Without validation labels the schedule is kept to its end, and the last weights.
    With class weights, an image's log loss counts as much as its class weighs.
    """

    name: Literal["finetune"]

    def classify(self, task: Task) -> Learned:
        return self.fine_tuned(task)
