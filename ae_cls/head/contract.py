"""What the options of the group `head` have in common; most of them are heads on features."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, final

from pydantic import Field

from ae_cls.evaluate.metrics import Measure
from ae_cls.head.choice import Trial, choose
from ae_cls.head.class_weight import ClassWeight, Weights, class_weights, weight_facts
from ae_cls.head.classifier import Classifier
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import FittedHead, Labelled
from ae_cls.head.task import Learned, Task
from ae_cls.settings import Settings


class HeadConfig(Settings, ABC):
    """The contract of every option of the group `head`.

    The class that a head answers is the most probable one. With class weights its probabilities are
    therefore those of classes that are equally frequent, as the loss, the votes or the trees then
    see them: taken back to the shares of training, they would undo the weights in the answer. The
    facts of the head say so, and hold the weights that take them back.
    """

    trains_encoder: ClassVar[bool]
    """Whether fitting changes the encoder, which then needs images instead of features."""
    class_weight: ClassWeight = Field(
        description="null: labelled rows count alike; balanced: classes do, by rows / (classes x "
        "rows of the class)"
    )

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
    """A head on frozen features: a subclass gives its name, `fitted_type` and `trials`."""

    trains_encoder: ClassVar[bool] = False
    name: Any  # a Literal in each subclass

    @property
    @abstractmethod
    def fitted_type(self) -> type[FittedHead]:
        """The class of the fitted head, which loads it."""

    @abstractmethod
    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        """A head fitted on `task.train` for each combination of settings, one at a time."""

    @final
    def fit(
        self,
        train: Labelled,
        valid: Labelled,
        *,
        class_count: int,
        choose_by: Measure,
        seed: int,
        progress: bool,
    ) -> FittedHead:
        """Fit on `train`; settings with several values are chosen on `valid`, never on test.

        The choice goes by the measure, then by the lower log loss, then by the order of the
        values. `class_count` may exceed the classes seen in `train`: they get probability 0.
        """
        task = FeatureTask(train, valid, class_count, choose_by, seed, progress)
        trials = task.bar(
            self.trials(task), name=self.name, unit="settings", total=self._combinations()
        )
        head = choose(trials, valid.labels, by=choose_by, name=self.name)
        facts = weight_facts(self.class_weight, self.weights(task))
        return replace(head, facts={**head.facts, "labelled_rows": len(train.labels), **facts})

    @final
    def weights(self, task: FeatureTask) -> Weights | None:
        """One number a class, of the labelled rows; None: all count alike."""
        return class_weights(self.class_weight, task.train.labels, task.class_count)

    @final
    def weights_of_seen(self, task: FeatureTask) -> Weights | None:
        """The same, of the classes that have a labelled row."""
        weights = self.weights(task)
        return None if weights is None else weights[task.classes]

    def _combinations(self) -> int:
        return math.prod(len(value) for _, value in self if isinstance(value, tuple))

    @final
    def load(self, files: Mapping[str, bytes]) -> FittedHead:
        return self.fitted_type.load(files, self.name)

    @final
    def classify(self, task: Task) -> Learned:
        train, valid = task.features()
        head = self.fit(
            train,
            valid,
            class_count=len(task.class_names),
            choose_by=task.choose_by,
            seed=task.seed,
            progress=True,
        )
        return Learned(Classifier(task.encoder, head, task.class_names), history=())
