"""Label spreading over a graph of all training images, those without a label too.

Zhou, Bousquet, Lal, Weston & Schölkopf 2004, Learning with local and global consistency, NIPS 16.
Huang, He, Singh, Lim & Benson 2021, Combining label propagation and simple models out-performs
graph neural networks, ICLR, arXiv 2010.13993: section 2.3, answers that are smoothed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, final

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from pydantic import Field
from scipy.sparse import coo_array, csr_array, eye_array
from scipy.sparse.linalg import cg

from ae_cls.head.array_head import ArrayHead
from ae_cls.head.choice import Setting, Trial
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import Fact, Features, FittedHead, Probabilities
from ae_cls.head.head_files import Layout, Stored
from ae_cls.head.linear import LinearConfig
from ae_cls.head.neighbours import (
    Components,
    Directions,
    Neighbours,
    directions,
    main_components,
    nearest,
    nearest_others,
)
from ae_cls.head.standardise import MEAN_AND_SCALE, Standardiser
from ae_cls.head.temperature import at_temperature
from ae_cls.settings import OneOrMore

_MOST_NEIGHBOURS = 50  # of a row, found once for all settings
# Numbers that say which images are similar; 54,000 rows of 3,256 are compared 25 times as fast.
_NARROW = 128
_RESIDUAL = 1e-10  # of the right side, where the solution is good enough
# Of 0.0001 to 10 within half a point of the best, with 3, 10 and 50 labels a class of Fashion-MNIST
# and the features of conv_kmeans, hog and kmeans.
_C = 0.1

Start = Literal["labels", "answers"]

Graph = csr_array
"""S of the article: symmetric weights between rows, each divided by the root of both rows' sums."""


@final
class SpreadConfig(FeatureHeadConfig):
    """Labels spread from image to similar image; a row holds what its neighbours and its label say.

    With `start=answers`, rows without a label begin with what a linear head says of them.

    The graph is of training images alone. Any other image, one of validation or test among them, is
    answered by its nearest training images and changes nothing. Where settings are chosen within
    the labelled rows, a fold hides labels, and its images stay in the graph.
    With class weights, a label or answer counts as much as its class weighs.
    """

    learns_from_unlabelled: ClassVar[bool] = True
    calibrates: ClassVar[bool] = True  # what has spread far is thin, and yet mostly right
    fold_repeats: ClassVar[int] = 1
    name: Literal["spread"]
    neighbours: OneOrMore[Annotated[int, Field(ge=1, le=_MOST_NEIGHBOURS)]] = Field(
        description="similar rows that a row is joined to; the best number is kept"
    )
    alpha: OneOrMore[Annotated[float, Field(gt=0, lt=1)]] = Field(
        description="share of what a row holds that comes from its neighbours; the best is kept"
    )
    # Models that were saved before there was a choice began with labels.
    start: OneOrMore[Start] = Field(
        default=("labels",),
        description="what a row without a label begins with. labels: nothing; answers: those of a "
        "linear head, fitted on the labels; the better is kept",
    )
    temperature: float = Field(
        ge=0.01, description="cosine difference that changes a weight by the factor e"
    )

    @property
    def fitted_type(self) -> type["Spread"]:
        return Spread

    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        for start in self.start:
            begun, facts = self._begun(task, start)
            for neighbours in self.neighbours:
                graph = graph_of(task.once(_images).nearest, neighbours, self.temperature)
                for alpha in self.alpha:
                    setting: Setting = {"start": start, "neighbours": neighbours, "alpha": alpha}
                    yield self._trial(task, setting, spread(graph, begun, alpha), facts)

    def _trial(
        self,
        task: FeatureTask,
        setting: Setting,
        amounts: Float64[np.ndarray, "n k"],
        facts: dict[str, Fact],
    ) -> Trial:
        images, shares, held = task.once(_images), _shares(amounts), task.pool.held
        head = Spread(
            head=self.name, facts={}, mean=images.standardiser.mean,
            scale=images.standardiser.scale, components=images.components, rows=images.directions,
            shares=shares.astype(np.float32), neighbours=np.array(setting["neighbours"]),
            temperature=np.array(self.temperature), calibration=np.array(1.0),
        )  # fmt: skip
        answers = shares[held] if len(held) else head.predict_proba(task.held.features)
        unlabelled = len(task.pool.features) - len(task.train.labels)
        return Trial(setting, head, answers, {"unlabelled_rows": unlabelled, **facts})

    def _begun(
        self, task: FeatureTask, start: Start
    ) -> tuple[Float64[np.ndarray, "n k"], dict[str, Fact]]:
        """Y of the first article, G of the second, and what fitting it saw."""
        begun, facts = np.zeros((len(task.pool.features), task.class_count)), {}
        if start == "answers":
            linear = _linear(task)
            begun, facts = linear.head.predict_proba(task.pool.features), linear.facts
        begun[task.pool.labelled] = np.eye(task.class_count)[task.train.labels]
        weights = self.weights(task)
        return (begun if weights is None else begun * weights), facts

    def cooled(self, head: FittedHead, temperature: float) -> FittedHead:
        assert isinstance(head, Spread)
        return replace(head, calibration=np.array(temperature))


def _linear(task: FeatureTask) -> Trial:
    config = LinearConfig(name="linear", class_weight=None, C=(_C,), tolerance=1e-5, max_steps=500)
    (trial,) = config.trials(task)
    return trial


@final
@dataclass(frozen=True)
class _Images:
    """The rows of the graph, and the most similar others of each."""

    standardiser: Standardiser
    components: Components | None
    directions: Directions
    nearest: Neighbours


def _images(task: FeatureTask) -> _Images:
    features = task.pool.features
    standardiser, is_wide = Standardiser.fit(features), features.shape[1] > 2 * _NARROW
    components = main_components(features, standardiser, _NARROW) if is_wide else None
    rows = directions(features, standardiser, components)
    return _Images(standardiser, components, rows, nearest_others(rows, _MOST_NEIGHBOURS))


def graph_of(found: Neighbours, neighbours: int, temperature: float) -> Graph:
    """Rows are joined where one is among the nearest of the other."""
    rows = found.rows[:, :neighbours].numpy()
    weights = ((found.cosines[:, :neighbours].double() - 1) / temperature).exp().numpy()
    places = np.repeat(np.arange(len(rows)), rows.shape[1]), rows.ravel()
    directed = coo_array((weights.ravel(), places), shape=(len(rows), len(rows))).tocsr()
    graph = directed.maximum(directed.T).tocoo()
    roots = np.sqrt(np.maximum(graph.sum(axis=1), np.finfo(np.float64).tiny))
    return coo_array(
        (graph.data / (roots[graph.row] * roots[graph.col]), (graph.row, graph.col)), graph.shape
    ).tocsr()


def spread(
    graph: Graph, labels: Float64[np.ndarray, "n k"], alpha: float
) -> Float64[np.ndarray, "n k"]:
    """Where F = alpha S F + (1 - alpha) Y comes to rest, class by class."""
    system = (eye_array(len(labels)) - alpha * graph).tocsr()
    amounts = np.zeros_like(labels)
    for column in np.flatnonzero(labels.any(axis=0)):
        amounts[:, column], failed = cg(system, (1 - alpha) * labels[:, column], rtol=_RESIDUAL)
        assert not failed, "the system is symmetric and positive definite"
    return np.maximum(amounts, 0)  # what is left of the residual may be below


def _shares(amounts: Float64[np.ndarray, "n k"]) -> Probabilities:
    """Of each class in a row; a row that no label reaches is undecided between those there are."""
    reached = amounts.any(axis=1, keepdims=True)
    amounts = np.where(reached, amounts, amounts.any(axis=0))
    return amounts / amounts.sum(axis=1, keepdims=True)


@final
@dataclass(frozen=True, kw_only=True)
class Spread(ArrayHead):
    """Training images and what each of them holds of every class.

    Attributes:
        mean: of the features of all training images.
        scale: standard deviation of the features of all training images; 1 where it was 0.
        components: by which wide features are compared; None: by all features.
        rows: the training images.
        shares: of each class in each of them.
        neighbours: how many of them answer for an image, or all where there are fewer.
        temperature: cosine difference that changes a weight by the factor e.
        calibration: the logarithms of probabilities are divided by it.
    """

    layout: ClassVar[Layout] = {
        **MEAN_AND_SCALE,
        "components": Stored(np.float32, "ad", optional=True),
        "rows": Stored(np.float16, "na"),
        "shares": Stored(np.float32, "nk"),
        "neighbours": Stored(np.int64, "", positive=True),
        "temperature": Stored(np.float64, "", positive=True),
        "calibration": Stored(np.float64, "", positive=True),
    }
    mean: Float32[np.ndarray, " d"]
    scale: Float32[np.ndarray, " d"]
    components: Components | None = None
    rows: Directions
    shares: Float32[np.ndarray, "n k"]
    neighbours: Int64[np.ndarray, ""]
    temperature: Float64[np.ndarray, ""]
    calibration: Float64[np.ndarray, ""]

    def contradicts_itself(self) -> bool:
        widths = {self.rows.shape[1], len(self.mean)}
        return bool(
            (self.components is None and len(widths) > 1)
            or (self.shares < 0).any()
            or not self.shares.any(axis=1).all()
        )

    def predict_proba(self, features: Features) -> Probabilities:
        standardiser = Standardiser(self.mean, self.scale)
        found = nearest(features, standardiser, self.rows, int(self.neighbours), self.components)
        cosines = found.cosines.double()
        weights = ((cosines - cosines[:, :1]) / float(self.temperature)).exp()  # the largest is 1
        shares = torch.from_numpy(self.shares).double()
        votes = torch.zeros(len(cosines), shares.shape[1], dtype=torch.float64)
        for weight, rows in zip(weights.T, found.rows.T, strict=True):
            votes += weight[:, None] * shares[rows]
        answers = (votes / votes.sum(dim=1, keepdim=True)).numpy()
        return at_temperature(answers, float(self.calibration))
