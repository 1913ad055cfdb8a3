"""Weighted nearest neighbours by cosine similarity (Wu et al. 2018, arXiv 1805.01978)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, final

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from pydantic import Field
from torch import Tensor

from ae_cls.head.array_head import ArrayHead
from ae_cls.head.choice import Trial
from ae_cls.head.class_weight import Weights
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import Features, Probabilities
from ae_cls.head.head_files import Layout, Stored
from ae_cls.head.neighbours import Directions, directions, nearest
from ae_cls.head.standardise import MEAN_AND_SCALE, Standardiser, as_tensor
from ae_cls.settings import OneOrMore


@final
class KnnConfig(FeatureHeadConfig):
    """The labels of the most similar training rows, weighted by exp(cosine / temperature).

    With class weights, a vote counts as much as its class weighs besides: a share of the neighbours
    is held against the share of the class. A single neighbour decides alone, whatever it weighs.
    """

    name: Literal["knn"]
    neighbours: OneOrMore[Annotated[int, Field(ge=1)]] = Field(
        description="how many rows vote; the best number is kept"
    )
    temperature: float = Field(
        ge=0.001, description="cosine difference that changes a weight by the factor e"
    )

    @property
    def fitted_type(self) -> type["Knn"]:
        return Knn

    def beyond(self, rows: int) -> list[str]:
        fewest = min(self.neighbours)
        if fewest <= rows:
            return []
        return [f"head.neighbours={fewest} is more than {rows} labelled images: all of them vote"]

    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        # On Fashion-MNIST, standardising first gave 1 to 3 points of validation accuracy on pixels
        # with 1,000 to 10,000 labels and took 4 to 5 with 100 at small k; on multiscale features it
        # moved up to 1.5 points either way, and gave 7 to 11 with 100 labels and k of 10 or more.
        standardiser = Standardiser.fit(task.train.features)
        order = np.argsort(task.train.labels, kind="stable")
        widest = Knn(
            head=self.name, facts={}, mean=standardiser.mean, scale=standardiser.scale,
            rows=directions(task.train.features, standardiser)[order],
            counts=np.bincount(task.train.labels, minlength=task.class_count),
            class_weights=self._of_votes(task), neighbours=np.array(max(self.neighbours)),
            temperature=np.array(self.temperature),
        )  # fmt: skip
        nearest = widest.nearest(task.held.features)
        for count in self.neighbours:
            head = replace(widest, neighbours=np.array(count))
            yield Trial({"neighbours": count}, head, head.vote(nearest))

    def _of_votes(self, task: FeatureTask) -> Weights:
        weights = self.weights(task)
        return np.ones(task.class_count) if weights is None else weights


@final
@dataclass(frozen=True)
class Nearest:
    """The most similar training rows of each query, the most similar first."""

    cosines: Float32[Tensor, "q m"]
    labels: Int64[Tensor, "q m"]


@final
@dataclass(frozen=True, kw_only=True)
class Knn(ArrayHead):
    """Neighbours and how they vote.

    Attributes:
        mean: of the training features.
        scale: standard deviation of the training features; 1 where it was 0.
        rows: standardised training rows of length 1, in the order of their classes.
        counts: rows of each class.
        class_weights: factor on a vote, by its class.
        neighbours: how many rows vote, or all where there are fewer.
        temperature: cosine difference that changes a weight by the factor e.
    """

    layout: ClassVar[Layout] = {
        **MEAN_AND_SCALE,
        "rows": Stored(np.float16, "nd"),
        "counts": Stored(np.int64, "k"),
        "class_weights": Stored(np.float64, "k"),
        "neighbours": Stored(np.int64, "", positive=True),
        "temperature": Stored(np.float64, "", positive=True),
    }
    mean: Float32[np.ndarray, " d"]
    scale: Float32[np.ndarray, " d"]
    rows: Directions
    counts: Int64[np.ndarray, " k"]
    class_weights: Float64[np.ndarray, " k"]
    neighbours: Int64[np.ndarray, ""]
    temperature: Float64[np.ndarray, ""]

    def contradicts_itself(self) -> bool:
        miscounted = (self.counts < 0).any() or self.counts.sum() != len(self.rows)
        weighed = (self.class_weights >= 0).all() and (
            self.class_weights[self.counts > 0] > 0
        ).all()
        return bool(miscounted or not weighed)

    def predict_proba(self, features: Features) -> Probabilities:
        return self.vote(self.nearest(features))

    def nearest(self, features: Features) -> Nearest:
        """The `neighbours` most similar rows of each query; which of equal ones is left open."""
        labels = torch.arange(len(self.counts)).repeat_interleave(as_tensor(self.counts))
        standardiser = Standardiser(self.mean, self.scale)
        found = nearest(features, standardiser, self.rows, int(self.neighbours))
        return Nearest(found.cosines, labels[found.rows])

    def vote(self, nearest: Nearest) -> Probabilities:
        """One probability a class from the first `neighbours` of each query."""
        cosines = nearest.cosines[:, : int(self.neighbours)].double()
        weights = ((cosines - cosines[:, :1]) / float(self.temperature)).exp()  # the largest is 1
        votes = torch.zeros(len(cosines), len(self.counts), dtype=torch.float64)
        labels = nearest.labels[:, : int(self.neighbours)]
        votes.scatter_add_(1, labels, weights * as_tensor(self.class_weights)[labels])
        return (votes / votes.sum(1, keepdim=True)).numpy()
