"""A support vector machine: one against the rest, with the squared hinge loss of LinearSVC.

With class weights, a row's loss counts as much as its class weighs, in the problem of each class:
as copies of the row would. LinearSVC's own `class_weight` does so for two classes; for more it
weighs a class's own rows alone, so that the rest of the problem keeps its imbalance.

With the kernel rbf it is a linear machine on coordinates whose products are the kernel: exactly
while all labelled rows are compared with, approximately where there are more than `components`.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, final

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from pydantic import Field
from scipy.special import softmax

from ae_cls.draws import generator
from ae_cls.head.array_head import ArrayHead
from ae_cls.head.axes import Axes, Uncorrelated
from ae_cls.head.choice import Trial
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.descent import Descent, LinearModel
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import Fact, Features, FittedHead, Probabilities
from ae_cls.head.head_files import Layout, Stored
from ae_cls.head.linear_loss import SQUARED_HINGE
from ae_cls.head.nystroem import Coordinates, rbf, squared_distances
from ae_cls.head.part import ENOUGH
from ae_cls.head.row_space import Space
from ae_cls.head.softmax import Softmax
from ae_cls.head.standardise import MEAN_AND_SCALE, Standardiser
from ae_cls.head.warm_start import regularisation_path
from ae_cls.settings import OneOrMore

log = logging.getLogger(__name__)

_QUERIES = 1024  # rows at a time


@final
class SvmConfig(FeatureHeadConfig):
    """The widest margin between classes; probabilities are a softmax of the scores."""

    most_to_choose_on: ClassVar[int | None] = ENOUGH
    calibrates: ClassVar[bool] = True  # a margin says who is right, not how surely
    name: Literal["svm"]
    kernel: Literal["rbf", "linear"] = Field(description="how two rows are compared")
    C: OneOrMore[Annotated[float, Field(gt=0)]] = Field(
        description="weights of the summed squared hinge loss; the best is kept"
    )
    gamma: OneOrMore[Annotated[float, Field(gt=0)]] = Field(
        description="of rbf, as factors on 1 / (features x variance); the best is kept",
    )
    components: int = Field(
        ge=1,
        description="labelled rows that rbf compares with, drawn where there are more; up to here "
        "the kernel is exact",
    )
    tolerance: float = Field(
        gt=0, le=0.1, description="stop when a step lowers the mean loss by less"
    )
    max_steps: int = Field(ge=1, description="most steps of L-BFGS for each C")

    @property
    def fitted_type(self) -> "type[KernelMachine] | type[Softmax]":
        return KernelMachine if self.kernel == "rbf" else Softmax

    def least_memory(self, rows: int, features: int, classes: int) -> int | float:
        # Distances of all rows to those compared with, and their kernel values.
        return 4 * 2 * rows * min(rows, self.components) if self.kernel == "rbf" else 0.0

    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        return self._rbf_trials(task) if self.kernel == "rbf" else self._linear_trials(task)

    def cooled(self, head: FittedHead, temperature: float) -> FittedHead:
        assert isinstance(head, KernelMachine | Softmax)
        return replace(
            head,
            weight=head.weight / temperature,
            bias=head.bias / temperature,
        )

    def _linear_trials(self, task: FeatureTask) -> Iterator[Trial]:
        space = Space.of_task(task)
        standardiser = space.of_features
        for C, found in self._path(task, space.table, space.standardiser, space.axes):
            model = space.to_features(found).spread(task.classes, task.class_count)
            head = Softmax(
                head=self.name, facts={}, mean=standardiser.mean, scale=standardiser.scale,
                weight=model.weight, bias=model.bias,
            )  # fmt: skip
            facts = {**model.facts(), "approximation": None}
            yield Trial({"C": C}, head, head.predict_proba(task.held.features), facts)

    def _rbf_trials(self, task: FeatureTask) -> Iterator[Trial]:
        standardiser = Standardiser.fit(task.train.features)
        rows = self._basis_rows(task)
        approximation = f"nystroem {len(rows)}" if len(rows) < len(task.train.labels) else None
        basis = standardiser.apply(task.train.features[rows])
        train = squared_distances(task.train.features, standardiser, basis, task.device)
        held = squared_distances(task.held.features, standardiser, basis, task.device)
        varying = np.count_nonzero(np.ptp(task.train.features, axis=0))
        for factor in self.gamma:
            gamma = factor / max(1, varying)  # scikit-learn's "scale" of standardised features
            coordinates = Coordinates.of(rbf(train[rows], gamma))
            axes = Uncorrelated(coordinates.values * np.float32(len(train) / len(rows)))
            table, held_kernel = coordinates.apply(train, gamma, task.device), rbf(held, gamma)
            for C, found in self._path(task, table, Standardiser.identity(table.shape[1]), axes):
                model = found.spread(task.classes, task.class_count)
                head = KernelMachine(
                    head=self.name, facts={}, mean=standardiser.mean, scale=standardiser.scale,
                    basis=basis, weight=model.weight @ coordinates.transform.T, bias=model.bias,
                    gamma=np.array(gamma),
                )  # fmt: skip
                setting: dict[str, Fact] = {"C": C, "gamma": factor}
                facts = {**model.facts(), "approximation": approximation}
                yield Trial(setting, head, head.of_kernel(held_kernel), facts)

    def _basis_rows(self, task: FeatureTask) -> Int64[np.ndarray, " m"]:
        """All labelled rows, or `components` of them drawn at random."""
        count = len(task.train.labels)
        if count <= self.components:
            return np.arange(count)
        if not task.is_only_tried:
            log.warning(
                "svm: nystroem %d in place of the exact kernel of %d labelled rows; "
                "head.components=%d would be exact",
                self.components, count, count,
            )  # fmt: skip
        draws = generator(task.seed, "head", "nystroem")
        return np.sort(torch.randperm(count, generator=draws)[: self.components].numpy())

    def _path(
        self, task: FeatureTask, table: Features, standardiser: Standardiser, axes: Axes
    ) -> Iterator[tuple[float, LinearModel]]:
        descent = Descent(
            features=table,
            standardiser=standardiser,
            labels=np.searchsorted(task.classes, task.train.labels),
            class_count=len(task.classes),
            class_weights=self.weights_of_seen(task),
            loss=SQUARED_HINGE,
            curvature=1.0,  # 2 for a row inside the margin, 0 outside
            axes=axes,
            tolerance=self.tolerance,
            max_steps=self.max_steps,
            device=task.device,
        )
        # Not from the minimum on a part: of 54,000 rows that took 67 steps, and from zero 62.
        return regularisation_path(descent, self.C, descent.start())


@final
@dataclass(frozen=True, kw_only=True)
class KernelMachine(ArrayHead):
    """softmax(weight · kernel values + bias).

    Attributes:
        mean: of the training features.
        scale: standard deviation of the training features; 1 where it was 0.
        basis: the standardised training rows that are compared with.
        weight: of the kernel value of each of these; one row a class.
        bias: one number a class; `NEVER` for a class without labels.
        gamma: the kernel is exp(-gamma · squared distance).
    """

    layout: ClassVar[Layout] = {
        **MEAN_AND_SCALE,
        "basis": Stored(np.float32, "md"),
        "weight": Stored(np.float32, "km"),
        "bias": Stored(np.float32, "k"),
        "gamma": Stored(np.float64, "", positive=True),
    }
    mean: Float32[np.ndarray, " d"]
    scale: Float32[np.ndarray, " d"]
    basis: Float32[np.ndarray, "m d"]
    weight: Float32[np.ndarray, "k m"]
    bias: Float32[np.ndarray, " k"]
    gamma: Float64[np.ndarray, ""]

    def predict_proba(self, features: Features) -> Probabilities:
        standardiser, gamma = Standardiser(self.mean, self.scale), float(self.gamma)
        probabilities = np.empty((len(features), len(self.bias)))
        for start in range(0, len(features), _QUERIES):
            rows = slice(start, start + _QUERIES)
            distances = squared_distances(features[rows], standardiser, self.basis)
            probabilities[rows] = self.of_kernel(rbf(distances, gamma))
        return probabilities

    def of_kernel(self, kernel: Float32[np.ndarray, "n m"]) -> Probabilities:
        """Of rows by their kernel values."""
        return softmax((kernel @ self.weight.T + self.bias).astype(np.float64), axis=1)
