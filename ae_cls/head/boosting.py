"""Gradient boosting of trees on binned features (Friedman 2001; Ke et al. 2017, LightGBM)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np
from jaxtyping import Float64, Int64
from pydantic import Field
from scipy.special import softmax
from sklearn.ensemble import HistGradientBoostingClassifier

from ae_cls.draws import short_seed
from ae_cls.head.array_head import ArrayHead
from ae_cls.head.choice import Trial
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import NEVER, Features, Probabilities
from ae_cls.head.head_files import Layout, Stored
from ae_cls.settings import OneOrMore

_QUERIES = 2048  # rows at a time
# Of 20, 60 and 120 labelled digits a leaf of at least 1 row tells 37, 66 and 77 % of others, these
# 46, 75 and 83 %; from 120 rows on it is scikit-learn's own number.
_ROWS_OF_A_LEAF, _SHARE_OF_A_LEAF = 20, 6


@final
class BoostingConfig(FeatureHeadConfig):
    """Small trees, each fitted to what those before it leave wrong.

    A leaf holds at least 20 rows, as in scikit-learn, or a sixth of fewer than 120. With class
    weights a row's loss counts as much as its class weighs.
    """

    fold_repeats: ClassVar[int] = 1
    name: Literal["boosting"]
    iterations: int = Field(ge=1, le=10_000, description="trees of each class")
    learning_rate: float = Field(gt=0, le=1, description="share of its answer that a tree adds")
    max_leaf_nodes: OneOrMore[Annotated[int, Field(ge=2, le=1000)]] = Field(
        description="most leaves of a tree; the best number is kept"
    )

    @property
    def fitted_type(self) -> type["Boosted"]:
        return Boosted

    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        weights, labels = self.weights(task), task.train.labels
        rows_of_a_leaf = max(1, min(_ROWS_OF_A_LEAF, len(labels) // _SHARE_OF_A_LEAF))
        for leaves in self.max_leaf_nodes:
            estimator = HistGradientBoostingClassifier(
                learning_rate=self.learning_rate,
                max_iter=self.iterations,
                max_leaf_nodes=leaves,
                min_samples_leaf=rows_of_a_leaf,
                early_stopping=False,  # pyright: ignore[reportArgumentType]  (its default is a word)
                random_state=short_seed(task.seed, "head", "boosting"),
            )
            estimator.fit(task.train.features, labels, None if weights is None else weights[labels])
            head = _of(estimator, task)
            yield Trial({"max_leaf_nodes": leaves}, head, head.predict_proba(task.held.features))


@final
@dataclass(frozen=True, kw_only=True)
class Boosted(ArrayHead):
    """softmax(baseline + the answers of all trees of each class).

    A leaf leads to itself, so that a walk may take more steps than it needs.

    Attributes:
        baseline: one number a class; `NEVER` for a class without labels.
        splits: how many nodes look at each feature.
        feature: that each node looks at.
        threshold: a row goes left where its feature is not above it.
        left: node that follows.
        right: the other one.
        answer: of each leaf.
        roots: first node of each tree; its nodes come before the next one's.
        classes: whose answer each tree gives.
    """

    layout: ClassVar[Layout] = {
        "baseline": Stored(np.float64, "k"),
        "splits": Stored(np.int64, "d"),
        "feature": Stored(np.int64, "n"),
        "threshold": Stored(np.float64, "n"),
        "left": Stored(np.int64, "n"),
        "right": Stored(np.int64, "n"),
        "answer": Stored(np.float64, "n"),
        "roots": Stored(np.int64, "t"),
        "classes": Stored(np.int64, "t"),
    }
    baseline: Float64[np.ndarray, " k"]
    splits: Int64[np.ndarray, " d"]
    feature: Int64[np.ndarray, " n"]
    threshold: Float64[np.ndarray, " n"]
    left: Int64[np.ndarray, " n"]
    right: Int64[np.ndarray, " n"]
    answer: Float64[np.ndarray, " n"]
    roots: Int64[np.ndarray, " t"]
    classes: Int64[np.ndarray, " t"]

    def contradicts_itself(self) -> bool:
        nodes = np.arange(len(self.feature))
        # Children come after their parent, so a walk ends at a leaf.
        leaf = (self.left == nodes) & (self.right == nodes)
        inner = (self.left > nodes) & (self.right > nodes)
        return not (
            (leaf | inner).all()
            and _all_below(np.maximum(self.left, self.right), len(nodes))
            and _all_below(self.feature, len(self.splits))
            and _all_below(self.roots, len(nodes))
            and _all_below(self.classes, len(self.baseline))
        )

    def predict_proba(self, features: Features) -> Probabilities:
        scores = np.empty((len(features), len(self.baseline)))
        for start in range(0, len(features), _QUERIES):
            rows = slice(start, start + _QUERIES)
            scores[rows] = self._scores(features[rows])
        return softmax(scores, axis=1)

    def _scores(self, features: Features) -> Float64[np.ndarray, "n k"]:
        scores = np.tile(self.baseline, (len(features), 1))
        for root, index in zip(self.roots, self.classes, strict=True):
            scores[:, index] += self.answer[self._leaves(features, root)]
        return scores

    def _leaves(self, features: Features, root: np.int64) -> Int64[np.ndarray, " n"]:
        nodes, rows = np.full(len(features), root), np.arange(len(features))
        while True:
            goes_left = features[rows, self.feature[nodes]] <= self.threshold[nodes]
            following = np.where(goes_left, self.left[nodes], self.right[nodes])
            if np.array_equal(following, nodes):
                return nodes
            nodes = following


def _all_below(indices: Int64[np.ndarray, " _"], count: int) -> bool:
    return bool((indices >= 0).all() and (indices < count).all())


def _of(estimator: HistGradientBoostingClassifier, task: FeatureTask) -> Boosted:
    """The estimator's trees as arrays: what a file can hold without types that must be trusted."""
    state: dict[str, Any] = vars(estimator)
    # Of two classes there is one tree a step, which answers for the second.
    baseline, trees = np.ravel(state["_baseline_prediction"]), state["_predictors"]
    answered = task.classes[-len(baseline) :]
    nodes = np.concatenate([tree.nodes for of_step in trees for tree in of_step])
    counts = np.array([len(tree.nodes) for of_step in trees for tree in of_step])
    roots, places = np.cumsum(counts) - counts, np.arange(len(nodes))
    first, is_leaf = np.repeat(roots, counts), nodes["is_leaf"].astype(bool)
    left, right = (np.where(is_leaf, places, first + nodes[side]) for side in ("left", "right"))
    feature = np.where(is_leaf, 0, nodes["feature_idx"])
    width, start = task.train.features.shape[1], np.full(task.class_count, NEVER)
    start[task.classes] = 0
    start[answered] = baseline
    return Boosted(
        head="boosting", facts={}, baseline=start, roots=roots, left=left, right=right,
        splits=np.bincount(feature[~is_leaf], minlength=width), feature=feature,
        threshold=np.where(is_leaf, 0, nodes["num_threshold"]), answer=nodes["value"].copy(),
        classes=np.tile(answered, len(trees)),
    )  # fmt: skip
