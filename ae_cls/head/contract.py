"""What every head answers: it is fitted on labelled rows, then gives probabilities."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from ae_cls.head.classifier import Classifier
from ae_cls.head.fitted import Fact, Features, FittedHead, Labelled, Labels, Probabilities
from ae_cls.head.task import Learned, Task
from ae_cls.settings import Settings

__all__ = [
    "Classifier",
    "Fact",
    "FeatureHeadConfig",
    "Features",
    "FittedHead",
    "HeadConfig",
    "Labelled",
    "Labels",
    "Learned",
    "Probabilities",
    "Task",
]


class HeadConfig(Settings, ABC):
    """The contract of every option of the group `head`."""

    trains_encoder: ClassVar[bool]
    """Whether fitting changes the encoder, which then needs images instead of features."""

    @abstractmethod
    def load(self, files: Mapping[str, bytes]) -> FittedHead:
        """The head that `FittedHead.files` described.

        Raises:
            ModelFileError: a file is missing, damaged, or holds a type that is not allowed.
        """

    @abstractmethod
    def classify(self, task: Task) -> Learned:
        """A classifier for the task, chosen on its validation images.

        Raises:
            UsageError: the head cannot learn from so few labels.
            TrainingError: a loss is not finite.
        """


class FeatureHeadConfig(HeadConfig):
    """A head on frozen features. Abstract: one subclass a head, none of them subclassed again."""

    trains_encoder: ClassVar[bool] = False

    @abstractmethod
    def fit(
        self, train: Labelled, valid: Labelled, *, class_count: int, seed: int, progress: bool
    ) -> FittedHead:
        """Fit on `train`; settings with several values are chosen on `valid`, never on test.

        The choice goes by validation accuracy, then by the lower log loss, then by the order of the
        values. `class_count` may exceed the classes seen in `train`: they get probability 0.
        """

    def classify(self, task: Task) -> Learned:
        train, valid = task.features()
        head = self.fit(
            train, valid, class_count=len(task.class_names), seed=task.seed, progress=True
        )
        return Learned(Classifier(task.encoder, head, task.class_names), history=())
