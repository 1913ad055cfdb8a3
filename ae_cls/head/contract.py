"""What the options of the group `head` have in common; most of them are heads on features."""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, final

import numpy as np
import torch
from jaxtyping import Int64
from pydantic import Field

from ae_cls.dataset.folds import stratified_folds
from ae_cls.encode.encoder import Encoder
from ae_cls.errors import UsageError
from ae_cls.evaluate.metrics import Measure
from ae_cls.head.choice import Choice, Setting, Trial, in_words
from ae_cls.head.class_weight import ClassWeight, Weights, class_weights, weight_facts
from ae_cls.head.classifier import Classifier
from ae_cls.head.feature_task import CPU, FeatureTask, Item
from ae_cls.head.fitted import Fact, FittedHead, Labelled, Labels, Pool, Probabilities
from ae_cls.head.part import drawn_part
from ae_cls.head.task import Learned, Task
from ae_cls.head.temperature import at_temperature, fitted_temperature
from ae_cls.settings import Settings

log = logging.getLogger(__name__)

FOLDS = 5
"""Of the labelled rows, at most, where settings are chosen within them."""

TOO_FEW = "nothing: too few labels to hold any back, so the middle of each list of values"
"""What settings were chosen on where there are no folds."""

Positions = Int64[np.ndarray, " _"]

_NONE = np.zeros(0, np.int64)


class HeadConfig(Settings, ABC):
    """The contract of every option of the group `head`.

    The class that a head answers is the most probable one. With class weights its probabilities are
    therefore those of classes that are equally frequent, as the loss, the votes or the trees then
    see them: taken back to the shares of training, they would undo the weights in the answer. The
    facts of the head say so, and hold the weights that take them back.
    """

    trains_encoder: ClassVar[bool]
    """Whether fitting changes the encoder, which then needs images instead of features."""
    reads_clusters: ClassVar[bool] = False
    """Whether features must be probabilities of clusters."""
    learns_from_unlabelled: ClassVar[bool] = False
    """Whether training images count whose label is not shown."""
    answers_with_code: ClassVar[bool] = False
    """Whether it answers with classes that are a part of the autoencoder's code."""
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

    def least_memory(self, rows: int, features: int, classes: int) -> int | float:
        """Bytes that fitting needs at least, where they may be more than a machine has.

        Args:
            rows: that have a label.
            features: numbers of an image.
            classes: how many.
        """
        return 0.0

    def refuse_layers(self, encoder: Encoder) -> None:
        """Stop where settings are of more layers than the encoder has; often none are of any.

        Raises:
            UsageError: with how many it has.
        """

    def beyond(self, rows: int) -> list[str]:
        """A sentence for each setting that asks for more than so many labelled rows can give."""
        return []

    @abstractmethod
    def classify(self, task: Task) -> Learned:
        """A classifier for the task, chosen on its validation images or within its labels.

        Raises:
            UsageError: the head cannot learn from so few labels.
            TrainingError: a loss is not finite.
        """


class FeatureHeadConfig(HeadConfig):
    """A head on frozen features: a subclass gives its name, `fitted_type` and `trials`."""

    trains_encoder: ClassVar[bool] = False
    calibrates: ClassVar[bool] = False
    """Whether probabilities are to be made as sure as they are right, which `cooled` then does."""
    fold_repeats: ClassVar[int] = 5
    """How often at most a small set is divided into folds to judge it: once where fits are slow."""
    most_to_choose_on: ClassVar[int | None] = None
    """Labelled rows to try settings on where there are more than twice as many; None: all.

    The best setting hardly depends on their number, and each try costs at least in proportion.
    """
    name: Any  # a Literal in each subclass

    @property
    @abstractmethod
    def fitted_type(self) -> type[FittedHead]:
        """The class of the fitted head, which loads it."""

    @abstractmethod
    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        """A head fitted on `task.train` for each combination of settings, one at a time.

        `task.held` may have no rows: then there is one combination, and nothing to choose.
        """

    def out_of_fold(self, folds: Sequence[FeatureTask]) -> Iterator[tuple[Setting, Probabilities]]:
        """Each combination of settings, and probabilities of the rows held out, fold by fold."""
        # One setting after another, not one fold: whoever asks may have seen enough.
        for trials in zip(*(self.trials(fold) for fold in folds), strict=True):
            yield trials[0].setting, np.concatenate([trial.probabilities for trial in trials])

    def is_decided(self, choice: Choice) -> bool:
        """Whether the settings that are still to come cannot be expected to be better."""
        return False

    def facts_of(self, chosen: Setting) -> dict[str, Fact]:
        """What the choice within labels says of the fit, beside what the fit says of itself."""
        return {}

    def cooled(self, head: FittedHead, temperature: float) -> FittedHead:
        """The head with the logarithms of its probabilities divided by the temperature."""
        raise AssertionError(f"{self.name} does not calibrate")

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
        pool: Pool | None = None,
        device: torch.device = CPU,
    ) -> FittedHead:
        """Fit on `train`; settings with several values are chosen on `valid`, never on test.

        The choice goes by the measure, then by the lower log loss, then by the order of the
        values. `class_count` may exceed the classes seen in `train`: they get probability 0.
        `pool` has the rows of `train` and others without a label; None: there are no others.
        `device` is where linear algebra on large tables is done.

        Raises:
            UsageError: there is one class only, or no validation row.
            TrainingError: features or probabilities are not finite.
        """
        _refuse_nothing_to_choose_on(valid)
        pool = pool or _no_more_than(train)
        task = FeatureTask(
            train, valid, class_count, choose_by, seed, progress, pool, device=device
        )
        part, _ = self._part(task)
        choice, (trial, temperature) = self._chosen_on_held(part)
        if part is not task:
            whole = replace(task, near=trial.head)
            (trial,) = self.narrowed(choice.chosen).trials(whole)
            temperature, _ = self._calibrated(task, trial.probabilities, valid.labels)
        return self._finished(task, trial, temperature, choice.facts())

    def _part(self, task: FeatureTask) -> tuple[FeatureTask, Positions]:
        """The task with the rows that settings are tried on, and their positions."""
        count, settings = len(task.train.labels), math.prod(map(len, self._lists()))
        if self.most_to_choose_on is None or count <= 2 * self.most_to_choose_on or settings == 1:
            return task, np.arange(count)
        rows = drawn_part(task.train.labels, self.most_to_choose_on, task.seed)
        return task.part(rows), rows

    def _chosen_on_held(self, task: FeatureTask) -> tuple[Choice, tuple[Trial, float | None]]:
        """The choice, and the best trial with its temperature."""
        labels = task.held.labels
        fitted = f", fitted on {task.size_in_words} labels" if task.is_part else ""
        choice = Choice(
            name=self.name, labels=labels, by=task.choose_by,
            on=f"{len(labels):,} validation labels{fitted}", prefix="valid", aloud=task.progress,
        )  # fmt: skip
        best: tuple[Trial, float | None] | None = None
        for trial in self._bar(task, self.trials(task)):
            temperature, probabilities = self._calibrated(task, trial.probabilities, labels)
            if choice.offer(trial.setting, probabilities):
                best = trial, temperature
            if self.is_decided(choice):
                break
        assert best is not None, "a head tries at least one setting"
        return choice, best

    @final
    def fit_within(
        self,
        train: Labelled,
        units: Int64[np.ndarray, " n"],
        *,
        class_count: int,
        choose_by: Measure,
        seed: int,
        progress: bool,
        pool: Pool | None = None,
        device: torch.device = CPU,
    ) -> FittedHead:
        """Fit on `train`, and choose settings on nothing else, by folds of it.

        Each setting is judged by all rows that were held back, once; the chosen one is fitted again
        on all rows. Where too few labels leave nothing to hold back it is the middle one of each
        setting's values, the lower of two.

        Args:
            train: the labelled rows.
            units: number of each row, the same for rows that stay in one fold.
            class_count: may exceed the classes seen in `train`.
            choose_by: what is best on the rows held back, then as in `fit`.
            seed: every random draw follows from it.
            progress: whether bars are drawn at a terminal.
            pool: the rows of `train` and others without a label; None: there are no others.
            device: where linear algebra on large tables is done.

        Raises:
            UsageError: there is one class only.
            TrainingError: features or probabilities are not finite.
        """
        pool = pool or _no_more_than(train)
        task = FeatureTask(
            train, train.rows(_NONE), class_count, choose_by, seed, progress, pool, device=device
        )
        part, rows = self._part(task)
        held = stratified_folds(
            part.train.labels, units[rows], most=FOLDS, seed=seed, purpose="head"
        )
        if not held:
            (trial,) = self.narrowed(self.middle()).trials(task)
            if progress:
                log.info("%s: %s: %s", self.name, in_words(trial.setting), TOO_FEW)
            facts: dict[str, Fact] = {
                "chosen": trial.setting, "chosen_by": choose_by, "chosen_on": TOO_FEW, "trials": [],
            }  # fmt: skip
            temperature, _ = self._calibrated(task, trial.probabilities, task.held.labels)
            return self._finished(task, trial, temperature, facts)
        choice, temperature = self._chosen_in_folds(part, held)
        (trial,) = self.narrowed(choice.chosen).trials(task)
        head = self._finished(task, trial, temperature, choice.facts())
        return replace(head, facts={**head.facts, **self.facts_of(choice.chosen)})

    def _chosen_in_folds(
        self, task: FeatureTask, held: Sequence[Int64[np.ndarray, " _"]]
    ) -> tuple[Choice, float | None]:
        """The choice, and the temperature that goes with it."""
        folds = [task.fold(rows) for rows in held]
        labels = np.concatenate([fold.held.labels for fold in folds])
        on = f"{len(folds)} folds of {task.size_in_words} labels"
        choice = Choice(
            name=self.name,
            labels=labels,
            by=task.choose_by,
            on=on,
            prefix="folds",
            aloud=task.progress,
        )
        best = None
        for setting, scores in self._bar(task, self.out_of_fold(folds)):
            temperature, probabilities = self._calibrated(task, scores, labels)
            if choice.offer(setting, probabilities):
                best = temperature
            if self.is_decided(choice):
                break
        return choice, best

    def _calibrated(
        self, task: FeatureTask, held: Probabilities, labels: Labels
    ) -> tuple[float | None, Probabilities]:
        if not self.calibrates:
            return None, held
        temperature = fitted_temperature(held, labels, self.weights(task))
        return temperature, at_temperature(held, temperature)

    def _finished(
        self,
        task: FeatureTask,
        trial: Trial,
        temperature: float | None,
        facts: Mapping[str, Fact],
    ) -> FittedHead:
        head, seen = trial.head, dict(trial.facts)
        if temperature is not None:
            head, seen["temperature"] = self.cooled(head, temperature), temperature
        labelled: dict[str, Fact] = {"labelled_rows": len(task.train.labels)}
        weights = weight_facts(self.class_weight, self.weights(task))
        return replace(head, facts={**facts, **seen, **labelled, **weights})

    @final
    def narrowed(self, setting: Setting) -> "FeatureHeadConfig":
        """With these values alone to choose from."""
        return self.model_copy(
            update={
                name: (value,) if isinstance(getattr(self, name), tuple) else value
                for name, value in setting.items()
            }
        )

    @final
    def middle(self) -> Setting:
        """The middle one of each setting's values, the lower of two: where nothing is chosen."""
        return {
            name: value[(len(value) - 1) // 2] for name, value in self if isinstance(value, tuple)
        }

    @final
    def weights(self, task: FeatureTask) -> Weights | None:
        """One number a class, of the labelled rows; None: all count alike."""
        return class_weights(self.class_weight, task.train.labels, task.class_count)

    @final
    def weights_of_seen(self, task: FeatureTask) -> Weights | None:
        """The same, of the classes that have a labelled row."""
        weights = self.weights(task)
        return None if weights is None else weights[task.classes]

    def _bar(self, task: FeatureTask, items: Iterable[Item]) -> Iterator[Item]:
        total = math.prod(map(len, self._lists()))
        return task.bar(items, name=self.name, unit="settings", total=total)

    def _lists(self) -> list[tuple[Any, ...]]:
        """The values of each setting that is chosen."""
        return [value for _, value in self if isinstance(value, tuple)]

    @final
    def load(self, files: Mapping[str, bytes]) -> FittedHead:
        return self.fitted_type.load(files, self.name)

    @final
    def classify(self, task: Task) -> Learned:
        train, valid = task.features()
        fit = (
            partial(self.fit, train, valid)
            if valid
            else partial(self.fit_within, train, task.units)
        )
        head = fit(
            class_count=len(task.class_names),
            choose_by=task.choose_by,
            seed=task.seed,
            progress=True,
            pool=task.pool() if self.learns_from_unlabelled else None,
            device=task.encoder.compute.device,
        )
        return Learned(Classifier(task.encoder, head, task.class_names), history=())


def _no_more_than(train: Labelled) -> Pool:
    return Pool.of(train.features, np.arange(len(train.labels)))


def _refuse_nothing_to_choose_on(valid: Labelled) -> None:
    if not len(valid.labels):
        raise UsageError(
            "there are no validation rows to choose the head's settings on",
            fix="keep some back, for example split.valid_fraction=0.1, or choose on folds of the "
            "labels: labels.choose=within",
        )
