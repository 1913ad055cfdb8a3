"""Weighted nearest neighbours by cosine similarity (Wu et al. 2018, arXiv 1805.01978)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, final

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float16, Float32, Int64
from pydantic import Field
from torch import Tensor
from tqdm import tqdm

from ae_cls.errors import ModelFileError
from ae_cls.head.choice import Trial, choose, seen_classes
from ae_cls.head.contract import FeatureHeadConfig, FittedHead, Labelled
from ae_cls.head.fitted import Fact, Features, Labels, Probabilities
from ae_cls.head.head_files import (
    ARRAYS,
    RECORD,
    Layout,
    array_bytes,
    check_classes,
    read_arrays,
    read_record,
    record_bytes,
)
from ae_cls.head.standardise import Standardiser, as_tensor
from ae_cls.settings import OneOrMore

_QUERIES, _ROWS = 1024, 4096  # at a time: 16 MB of cosines
_LAYOUT: Layout = {
    "mean": (np.float32, "d"),
    "scale": (np.float32, "d"),
    "rows": (np.float16, "nd"),
    "labels": (np.int64, "n"),
    "neighbours": (np.int64, "o"),
}


@final
class KnnConfig(FeatureHeadConfig):
    """The labels of the most similar training rows, weighted by exp(cosine / temperature)."""

    name: Literal["knn"]
    neighbours: OneOrMore[Annotated[int, Field(ge=1)]] = Field(
        description="how many rows vote; the best number is kept"
    )
    temperature: float = Field(
        ge=0.001, description="cosine difference that changes a weight by the factor e"
    )

    def fit(
        self, train: Labelled, valid: Labelled, *, class_count: int, seed: int, progress: bool
    ) -> "Knn":
        seen_classes(train, valid)
        choice = choose(
            self._trials(train, valid, class_count, progress),
            valid.labels,
            head=self.name,
            count=len(self.neighbours),
            progress=progress,
        )
        return replace(choice.fitted, facts={**choice.facts, "labelled_rows": len(train.labels)})

    def _trials(
        self, train: Labelled, valid: Labelled, class_count: int, progress: bool
    ) -> Iterator[Trial["Knn"]]:
        # On Fashion-MNIST, standardising first gave 1 to 3 points of validation accuracy on pixels
        # with 1,000 to 10,000 labels and took 4 to 5 with 100 at small k; on multiscale features it
        # moved up to 1.5 points either way, and gave 7 to 11 with 100 labels and k of 10 or more.
        standardiser = Standardiser.fit(train.features)
        head = Knn(
            standardiser=standardiser,
            rows=_directions(train.features, standardiser),
            labels=train.labels,
            class_count=class_count,
            neighbours=max(self.neighbours),
            temperature=self.temperature,
            facts={},
        )
        nearest = head.nearest(valid.features, progress=progress)
        for neighbours in self.neighbours:
            kept = replace(head, neighbours=neighbours)
            yield Trial({"neighbours": neighbours}, kept, kept.vote(nearest))

    def load(self, files: Mapping[str, bytes]) -> "Knn":
        record = read_record(files, self.name)
        arrays = read_arrays(files, _LAYOUT, {"d": record.feature_count, "o": 1})
        check_classes(np.unique(arrays["labels"]), record.class_count)
        neighbours = int(arrays["neighbours"][0])
        if neighbours not in self.neighbours:
            raise ModelFileError(f"the head takes {neighbours} neighbours", where=ARRAYS)
        return Knn(
            standardiser=Standardiser.read(arrays),
            rows=arrays["rows"],
            labels=arrays["labels"],
            class_count=record.class_count,
            neighbours=neighbours,
            temperature=self.temperature,
            facts=record.facts,
        )


@final
@dataclass(frozen=True)
class Nearest:
    """The most similar training rows of each query, the most similar first."""

    cosines: Float32[Tensor, "q m"]
    rows: Int64[Tensor, "q m"]


@final
@dataclass(frozen=True)
class Knn(FittedHead):
    """Neighbours and how they vote.

    Attributes:
        standardiser: of the features.
        rows: standardised training rows of length 1. Half precision moves a cosine by about 1e-5
            and halves the file, which holds them all.
        labels: class index of each of these rows.
        class_count: columns of the probabilities.
        neighbours: how many rows vote.
        temperature: cosine difference that changes a weight by the factor e.
        facts: what fitting chose and saw.
    """

    standardiser: Standardiser
    rows: Float16[np.ndarray, "n d"]
    labels: Labels
    class_count: int
    neighbours: int
    temperature: float
    facts: Mapping[str, Fact]

    def predict_proba(self, features: Features) -> Probabilities:
        return self.vote(self.nearest(features))

    def nearest(self, features: Features, *, progress: bool = False) -> Nearest:
        """The `neighbours` most similar rows, or all where there are fewer."""
        blocks = tqdm(
            self.standardiser.blocks(features, _QUERIES),
            total=-(-len(features) // _QUERIES), desc="knn", unit="block", leave=False,
            disable=None if progress else True,
        )  # fmt: skip
        found = [self._of_block(torch.from_numpy(block)) for _, block in blocks]
        return Nearest(
            torch.cat([nearest.cosines for nearest in found]),
            torch.cat([nearest.rows for nearest in found]),
        )

    def _of_block(self, block: Float32[Tensor, "q d"]) -> Nearest:
        """The first of each part of the rows, and the first of these."""
        queries, parts = functional.normalize(block), as_tensor(self.rows).split(_ROWS)
        found = [_first(queries @ part.float().T, self.neighbours) for part in parts]
        cosines = torch.cat([nearest.cosines for nearest in found], dim=1)
        rows = torch.cat([nearest.rows + _ROWS * n for n, nearest in enumerate(found)], dim=1)
        rows, order = rows.sort(dim=1)  # so that the lower row is the first of equal ones here too
        first = _first(cosines.gather(1, order), self.neighbours)
        return Nearest(first.cosines, rows.gather(1, first.rows))

    def vote(self, nearest: Nearest) -> Probabilities:
        """One probability a class from the first `neighbours` of each query."""
        cosines = nearest.cosines[:, : self.neighbours].double()
        labels = as_tensor(self.labels)[nearest.rows[:, : self.neighbours]]
        weights = ((cosines - cosines[:, :1]) / self.temperature).exp()  # the largest is 1
        votes = torch.zeros(len(cosines), self.class_count, dtype=torch.float64)
        votes.scatter_add_(1, labels, weights)
        return (votes / votes.sum(1, keepdim=True)).numpy()

    def files(self) -> dict[str, bytes]:
        arrays = {
            "mean": self.standardiser.mean,
            "scale": self.standardiser.scale,
            "rows": self.rows,
            "labels": self.labels,
            "neighbours": np.array([self.neighbours]),
        }
        record = record_bytes(
            "knn",
            class_count=self.class_count,
            feature_count=self.rows.shape[1],
            facts=self.facts,
        )
        return {ARRAYS: array_bytes(arrays), RECORD: record}


def _directions(features: Features, standardiser: Standardiser) -> Float16[np.ndarray, "n d"]:
    directions = np.empty(features.shape, np.float16)
    for rows, block in standardiser.blocks(features):
        directions[rows] = functional.normalize(torch.from_numpy(block)).numpy()
    return directions


def _first(cosines: Float32[Tensor, "q n"], most: int) -> Nearest:
    """The largest cosines of each query, all where there are few; equal ones by the lower row."""
    count = min(most, cosines.shape[1])
    values, rows = cosines.topk(min(count + 1, cosines.shape[1]))
    rows = rows[:, :count].clone()
    # topk takes any of those that are equal to the last one: such queries are sorted in full.
    tied = (values[:, count:] == values[:, count - 1 : count]).any(dim=1)
    for query in torch.nonzero(tied).flatten():
        rows[query] = cosines[query].sort(descending=True, stable=True).indices[:count]
    rows = rows.sort(dim=1).values
    ordered, order = cosines.gather(1, rows).sort(dim=1, descending=True, stable=True)
    return Nearest(ordered, rows.gather(1, order))
