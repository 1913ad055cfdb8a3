"""Weighted nearest neighbours by cosine similarity (Wu et al. 2018, arXiv 1805.01978)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, final

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float16, Float32, Float64, Int64
from pydantic import Field
from torch import Tensor

from ae_cls.head.array_head import ArrayHead
from ae_cls.head.choice import Trial
from ae_cls.head.class_weight import Weights
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import Features, Probabilities
from ae_cls.head.head_files import Layout, Stored
from ae_cls.head.standardise import MEAN_AND_SCALE, Standardiser, as_tensor
from ae_cls.settings import OneOrMore

_COSINES, _ROWS = 1 << 24, 4096  # cosines held at a time, and of how many rows they are made


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
        widest = Knn(
            head=self.name, facts={}, mean=standardiser.mean, scale=standardiser.scale,
            rows=_directions(task, standardiser),
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
        rows: standardised training rows of length 1, in the order of their classes. Half precision
            moves a cosine by about 1e-5 and halves the file, which holds them all.
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
    rows: Float16[np.ndarray, "n d"]
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
        count = min(int(self.neighbours), len(self.rows))
        standardiser = Standardiser(self.mean, self.scale)
        cosines = torch.empty(len(features), count)
        rows = torch.empty(len(features), count, dtype=torch.int64)
        for part, block in standardiser.blocks(features, max(1, _COSINES // len(self.rows))):
            cosines[part], rows[part] = self._cosines(torch.from_numpy(block)).topk(count)
        return Nearest(cosines, labels[rows])

    def _cosines(self, block: Float32[Tensor, "q d"]) -> Float32[Tensor, "q n"]:
        queries, parts = functional.normalize(block), as_tensor(self.rows).split(_ROWS)
        return torch.cat([queries @ part.float().T for part in parts], dim=1)

    def vote(self, nearest: Nearest) -> Probabilities:
        """One probability a class from the first `neighbours` of each query."""
        cosines = nearest.cosines[:, : int(self.neighbours)].double()
        weights = ((cosines - cosines[:, :1]) / float(self.temperature)).exp()  # the largest is 1
        votes = torch.zeros(len(cosines), len(self.counts), dtype=torch.float64)
        labels = nearest.labels[:, : int(self.neighbours)]
        votes.scatter_add_(1, labels, weights * as_tensor(self.class_weights)[labels])
        return (votes / votes.sum(1, keepdim=True)).numpy()


def _directions(task: FeatureTask, standardiser: Standardiser) -> Float16[np.ndarray, "n d"]:
    """The labelled rows, standardised, of length 1, in the order of their classes."""
    labels, features = task.train.labels, task.train.features
    directions, place = np.empty(features.shape, np.float16), np.empty_like(labels)
    place[np.argsort(labels, kind="stable")] = np.arange(len(labels))
    for rows, block in standardiser.blocks(features):
        directions[place[rows]] = functional.normalize(torch.from_numpy(block)).numpy()
    return directions
