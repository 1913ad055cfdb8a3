"""A random forest (Breiman 2001)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
import torch
from pydantic import Field
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree

from ae_cls.draws import short_seed
from ae_cls.errors import ModelFileError
from ae_cls.head.choice import Trial
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.estimator_file import ESTIMATOR, estimator_bytes, read_estimator
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import Features, FittedHead, Probabilities
from ae_cls.head.head_files import RECORD, Record, read_record, record_bytes
from ae_cls.head.part import ENOUGH
from ae_cls.settings import OneOrMore

_TREES_OF_A_TRY = 100  # at most: to tell two sizes of leaves apart takes fewer than to answer
_SHOWN = 10  # times that the bar moves; at each of them threads wait for one another


@final
class ForestConfig(FeatureHeadConfig):
    """Trees on bootstrap samples, each split choosing among sqrt(features) features.

    With class weights, a row is drawn and counted as scikit-learn's `class_weight` has it.
    """

    fold_repeats: ClassVar[int] = 1
    most_to_choose_on: ClassVar[int | None] = ENOUGH
    name: Literal["forest"]
    trees: int = Field(ge=1, le=10_000, description="how many")
    min_samples_leaf: OneOrMore[Annotated[int, Field(ge=1)]] = Field(
        description="fewest training rows in a leaf; the best number is kept"
    )

    @property
    def fitted_type(self) -> type["Forest"]:
        return Forest

    def least_memory(self, rows: int, features: int, classes: int) -> int | float:
        return 4 * rows * features  # by column

    def beyond(self, rows: int) -> list[str]:
        smallest = min(self.min_samples_leaf)
        if 2 * smallest <= rows:
            return []
        return [
            f"head.min_samples_leaf={smallest} is more than half of {rows} labelled images: no "
            "tree can tell any apart"
        ]

    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        trees = min(self.trees, _TREES_OF_A_TRY) if task.is_only_tried else self.trees
        for leaf in self.min_samples_leaf:
            estimator = RandomForestClassifier(
                max_features="sqrt",
                min_samples_leaf=leaf,
                class_weight=self._by_class(task),
                n_jobs=torch.get_num_threads(),
                random_state=short_seed(task.seed, "head", "forest"),
            )
            self._grow(estimator, task, trees)
            width = task.train.features.shape[1]
            head = Forest(
                estimator=estimator, feature_count=width, class_count=task.class_count, facts={}
            )
            probabilities = head.predict_proba(task.held.features)
            yield Trial({"min_samples_leaf": leaf}, head, probabilities)

    def _by_class(self, task: FeatureTask) -> dict[int, float] | None:
        """Numbers, not the word: it is warned of where a forest grows in parts."""
        weights = self.weights(task)
        return (
            None
            if weights is None
            else {int(index): float(weights[index]) for index in task.classes}
        )

    def _grow(self, estimator: RandomForestClassifier, task: FeatureTask, trees: int) -> None:
        """All trees, a few at a time for the bar: the same trees as all at once."""
        # A split reads one feature of many rows: here they lie side by side, not a row apart.
        by_column = np.asfortranarray(task.train.features)
        estimator.set_params(warm_start=True)
        counts = np.linspace(0, trees, min(_SHOWN, trees) + 1, dtype=int)[1:]
        for count in task.bar(counts, name=self.name, unit="parts", total=len(counts)):
            estimator.set_params(n_estimators=int(count))
            estimator.fit(by_column, task.train.labels)
        # Threads sum trees in the order in which they finish, so predicting takes one.
        # The weights have done their work; the file holds the word that stands for them.
        estimator.set_params(warm_start=False, n_jobs=1, class_weight=self.class_weight)


@final
@dataclass(frozen=True, kw_only=True)
class Forest(FittedHead):
    """The mean of the trees' class shares.

    Attributes:
        estimator: fitted.
        feature_count: numbers in a row of features.
        class_count: columns of the probabilities.
    """

    estimator: RandomForestClassifier
    feature_count: int
    class_count: int

    def predict_proba(self, features: Features) -> Probabilities:
        probabilities = np.zeros((len(features), self.class_count))
        if not len(features):  # which scikit-learn refuses
            return probabilities
        probabilities[:, self.estimator.classes_] = self.estimator.predict_proba(features)
        return probabilities

    def files(self) -> dict[str, bytes]:
        record = record_bytes(
            "forest",
            class_count=self.class_count,
            feature_count=self.feature_count,
            facts=self.facts,
        )
        return {ESTIMATOR: estimator_bytes(self.estimator), RECORD: record}

    @classmethod
    def load(cls, files: Mapping[str, bytes], head: str) -> "Forest":
        record = read_record(files, head)
        estimator = read_estimator(files, RandomForestClassifier)
        try:
            sound = _is_sound(estimator, record)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _damaged() from error
        if not sound:
            raise _damaged()
        return cls(
            estimator=estimator, feature_count=record.feature_count,
            class_count=record.class_count, facts=record.facts,
        )  # fmt: skip


def _is_sound(forest: RandomForestClassifier, record: Record) -> bool:
    """Whether predicting is safe: scikit-learn follows a tree's indices without looking."""
    classes = np.asarray(forest.classes_)
    return (
        vars(forest)["n_features_in_"] == record.feature_count
        and forest.get_params()["n_jobs"] == 1
        and forest.n_outputs_ == 1
        and len(classes) == forest.n_classes_
        and classes.dtype == np.int64
        and set(classes) <= set(range(record.class_count))
        and len(forest.estimators_) > 0
        and all(_tree_is_sound(tree, len(classes), record) for tree in forest.estimators_)
    )


def _tree_is_sound(estimator: object, class_count: int, record: Record) -> bool:
    if type(estimator) is not DecisionTreeClassifier or type(estimator.tree_) is not Tree:
        return False
    tree = estimator.tree_
    left, right, nodes = tree.children_left, tree.children_right, np.arange(tree.node_count)
    inner = left != -1  # a leaf has no left child
    # Children come after their parent, so a walk from the root always ends.
    children = np.stack([left, right])[:, inner]
    return bool(
        estimator.n_outputs_ == tree.n_outputs == 1
        and estimator.n_features_in_ == tree.n_features == record.feature_count
        and estimator.n_classes_ == class_count
        and tree.node_count > 0
        and (children > nodes[inner]).all()
        and (children < tree.node_count).all()
        and (tree.feature[inner] >= 0).all()
        and (tree.feature[inner] < record.feature_count).all()
        and tree.value.shape == (tree.node_count, 1, class_count)
        and np.allclose(tree.value.sum(axis=2), 1)
        and (tree.value >= 0).all()
    )


def _damaged() -> ModelFileError:
    return ModelFileError("the forest's trees do not fit together", where=ESTIMATOR)
