"""The classifier heads: one file a head. This list is the index of the room."""

from ae_cls.head.contract import Classifier, FittedHead, HeadConfig, Task
from ae_cls.head.finetune import FinetuneConfig

HeadChoice = FinetuneConfig

__all__ = ["Classifier", "FittedHead", "HeadChoice", "HeadConfig", "Task"]
