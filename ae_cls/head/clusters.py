"""Clusters that were found without labels, named with a few."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from ae_cls.head.array_head import ArrayHead
from ae_cls.head.choice import Trial
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import Features, Probabilities
from ae_cls.head.head_files import Layout, Stored
from ae_cls.settings import OneOrMore

_ROUNDING = 1e-6  # of a sum of probabilities


@final
class ClustersConfig(FeatureHeadConfig):
    """p(class | image) = sum over the clusters of p(cluster | image) p(class | cluster).

    The latter is counted: each labelled row counts in a cluster as much as it belongs there. With
    class weights it counts as its class weighs besides.
    """

    reads_clusters: ClassVar[bool] = True
    name: Literal["clusters"]
    smoothing: OneOrMore[Annotated[float, Field(gt=0)]] = Field(
        description="labels with the classes of all labelled rows that are added to each cluster's "
        "own; the best number is kept"
    )

    @property
    def fitted_type(self) -> type["Clusters"]:
        return Clusters

    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        counts = self._counts(task)
        everywhere = counts.sum(axis=0) / counts.sum()
        for smoothing in self.smoothing:
            smoothed = counts + smoothing * everywhere
            shares = smoothed / smoothed.sum(axis=1, keepdims=True)
            head = Clusters(head=self.name, facts={}, shares=shares)
            yield Trial({"smoothing": smoothing}, head, head.predict_proba(task.held.features))

    def _counts(self, task: FeatureTask) -> Float64[np.ndarray, "d k"]:
        """Labels of each class in each cluster."""
        weights = self.weights(task)
        of_classes = np.diag(np.ones(task.class_count) if weights is None else weights)
        return task.train.features.astype(np.float64).T @ of_classes[task.train.labels]


@final
@dataclass(frozen=True, kw_only=True)
class Clusters(ArrayHead):
    """The classes of each cluster.

    Attributes:
        shares: p(class | cluster); rows sum to 1.
    """

    layout: ClassVar[Layout] = {"shares": Stored(np.float64, "dk")}
    shares: Float64[np.ndarray, "d k"]

    def contradicts_itself(self) -> bool:
        sums = self.shares.sum(axis=1)
        return bool((self.shares < 0).any() or (np.abs(sums - 1) > _ROUNDING).any())

    def predict_proba(self, features: Features) -> Probabilities:
        probabilities = features.astype(np.float64) @ self.shares
        return probabilities / probabilities.sum(axis=1, keepdims=True)
