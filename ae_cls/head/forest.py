"""A random forest (Breiman 2001)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, final

import numpy as np
import torch
from pydantic import Field
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree
from tqdm import tqdm

from ae_cls.draws import derive_seed
from ae_cls.errors import ModelFileError
from ae_cls.head.choice import Trial, choose, seen_classes, spread
from ae_cls.head.contract import FeatureHeadConfig, FittedHead, Labelled
from ae_cls.head.estimator_file import ESTIMATOR, estimator_bytes, read_estimator
from ae_cls.head.fitted import Fact, Features, Probabilities
from ae_cls.head.head_files import RECORD, Record, read_record, record_bytes
from ae_cls.settings import OneOrMore

_SEEDS = 2**32  # scikit-learn takes 32 bits
_SHOWN = 10  # times that the bar moves; threads wait for one another at each


@final
class ForestConfig(FeatureHeadConfig):
    """Trees on bootstrap samples, each split choosing among sqrt(features) features."""

    name: Literal["forest"]
    trees: int = Field(ge=1, le=10_000, description="how many")
    min_samples_leaf: OneOrMore[Annotated[int, Field(ge=1)]] = Field(
        description="fewest training rows in a leaf; the best number is kept"
    )

    def fit(
        self, train: Labelled, valid: Labelled, *, class_count: int, seed: int, progress: bool
    ) -> "Forest":
        seen_classes(train, valid)
        choice = choose(
            self._trials(train, valid, class_count, seed, progress),
            valid.labels,
            head=self.name,
            count=len(self.min_samples_leaf),
            progress=progress,
        )
        return replace(choice.fitted, facts={**choice.facts, "labelled_rows": len(train.labels)})

    def _trials(
        self, train: Labelled, valid: Labelled, class_count: int, seed: int, progress: bool
    ) -> Iterator[Trial["Forest"]]:
        for leaf in self.min_samples_leaf:
            estimator = RandomForestClassifier(
                max_features="sqrt",
                min_samples_leaf=leaf,
                n_jobs=torch.get_num_threads(),
                random_state=derive_seed(seed, "head", "forest") % _SEEDS,
            )
            self._grow(estimator, train, progress)
            head = Forest(estimator, train.features.shape[1], class_count, facts={})
            yield Trial({"min_samples_leaf": leaf}, head, head.predict_proba(valid.features))

    def _grow(self, estimator: RandomForestClassifier, train: Labelled, progress: bool) -> None:
        """All trees, a few at a time for the bar: the same trees as all at once."""
        estimator.set_params(warm_start=True)
        with tqdm(
            total=self.trees, desc=self.name, unit="tree", leave=False,
            disable=None if progress else True,
        ) as bar:  # fmt: skip
            for count in np.linspace(0, self.trees, min(_SHOWN, self.trees) + 1, dtype=int)[1:]:
                estimator.set_params(n_estimators=int(count)).fit(train.features, train.labels)
                bar.update(int(count) - bar.n)
        # Threads sum trees in the order in which they finish, so predicting takes one.
        estimator.set_params(warm_start=False, n_jobs=1)

    def load(self, files: Mapping[str, bytes]) -> "Forest":
        record = read_record(files, self.name)
        estimator = read_estimator(files, RandomForestClassifier)
        try:
            sound = _is_sound(estimator, record)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _damaged() from error
        if not sound:
            raise _damaged()
        return Forest(estimator, record.feature_count, record.class_count, record.facts)


@final
@dataclass(frozen=True)
class Forest(FittedHead):
    """The mean of the trees' class shares.

    Attributes:
        estimator: fitted.
        feature_count: numbers in a row of features.
        class_count: columns of the probabilities.
        facts: what fitting chose and saw.
    """

    estimator: RandomForestClassifier
    feature_count: int
    class_count: int
    facts: Mapping[str, Fact]

    def predict_proba(self, features: Features) -> Probabilities:
        probabilities = np.asarray(self.estimator.predict_proba(features), np.float64)
        return spread(probabilities, np.asarray(self.estimator.classes_), self.class_count)

    def files(self) -> dict[str, bytes]:
        record = record_bytes(
            "forest",
            class_count=self.class_count,
            feature_count=self.feature_count,
            facts=self.facts,
        )
        return {ESTIMATOR: estimator_bytes(self.estimator), RECORD: record}


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
