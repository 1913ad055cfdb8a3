"""Linear models on large tables by preconditioned L-BFGS.

scikit-learn's solver needs a standardised copy of the table, and did not converge in 200 steps on
convolutional features. Here the table is read in blocks, and the steps are taken in coordinates in
which the objective is nearly round. A GPU holds the whole table, where there is room for it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial, reduce
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController

from ae_cls.head.axes import Axes
from ae_cls.head.class_weight import Weights
from ae_cls.head.feature_task import CPU, Classes
from ae_cls.head.fitted import NEVER, Fact, Features, Labels
from ae_cls.head.linear_loss import Loss
from ae_cls.head.part import ENOUGH, drawn_part
from ae_cls.head.slopes import DeviceTable, Slopes, has_room
from ae_cls.head.standardise import BLOCK, Standardiser

_NOTHING_LOWER = 2  # status of scipy's L-BFGS-B: "abnormal termination in line search"
_FLAT = 1e-5  # of an objective that is a mean over the rows; 1.5e-6 was seen at minima of digits
# Of the table, at most; their sums are added in order, whatever the number of threads.
_SHARES = 16


@cache
def _blas() -> ThreadpoolController:
    """The libraries that are loaded: looking for them again would take longer than a small fit."""
    return ThreadpoolController()


@final
@dataclass(frozen=True)
class LinearModel:
    """scores = weight · standardised features + bias.

    Attributes:
        weight: one row a class.
        bias: one number a class.
        converged: whether the objective had stopped falling before the last allowed step.
        steps: how many were taken.
    """

    weight: Float32[np.ndarray, "k d"]
    bias: Float32[np.ndarray, " k"]
    converged: bool
    steps: int

    def facts(self) -> dict[str, Fact]:
        """What a trial records of the descent."""
        return {"converged": self.converged, "steps": self.steps}

    def spread(self, classes: Classes, class_count: int) -> "LinearModel":
        """Row i becomes row `classes[i]` of `class_count`; the other classes are never answered."""
        weight = np.zeros((class_count, self.weight.shape[1]), np.float32)
        bias = np.full(class_count, NEVER, np.float32)
        weight[classes], bias[classes] = self.weight, self.bias
        return replace(self, weight=weight, bias=bias)


@final
@dataclass(frozen=True)
class Descent:
    """Minimises 0.5·|weight|² + C · summed loss, weighed by class; the bias is not penalised.

    Attributes:
        features: read in blocks, never copied.
        standardiser: makes each block.
        labels: class index of each row, 0 to class_count - 1.
        class_count: rows of the weight.
        class_weights: factor on the loss of a row, by its class; None: all count alike.
        loss: of a block.
        curvature: of the loss along a score, roughly.
        axes: of the standardised features.
        tolerance: stops at a step that lowers the objective, a mean over the rows, by less.
        max_steps: of L-BFGS.
        device: where the table is multiplied.
        in_all: rows there are where the table has a part of them, which stands for all.
    """

    features: Features
    standardiser: Standardiser
    labels: Labels
    class_count: int
    class_weights: Weights | None
    loss: Loss
    curvature: float
    axes: Axes
    tolerance: float
    max_steps: int
    device: torch.device = CPU
    in_all: int | None = None

    def start(self) -> LinearModel:
        """All zeros."""
        weight = np.zeros((self.class_count, self.features.shape[1]), np.float32)
        return LinearModel(weight, np.zeros(self.class_count, np.float32), converged=False, steps=0)

    def near_the_end(self, C: float, near: LinearModel | None = None) -> LinearModel:
        """With many rows the minimum on a part of them, where steps cost less; else all zeros.

        With a log loss on 54,000 rows: 82 cheap steps and 42 on all, instead of 75 on all.

        Args:
            C: weight of the summed loss against the penalty.
            near: where to search it from; None: all zeros.
        """
        start = near or self.start()
        if len(self.labels) <= 2 * ENOUGH:
            return start
        rows = drawn_part(self.labels, ENOUGH, seed=0)
        part = replace(
            self, features=self.features[rows], labels=self.labels[rows], in_all=len(self.labels)
        )
        return part.run(C, start)

    def run(self, C: float, start: LinearModel) -> LinearModel:
        """The minimum, searched from `start`."""
        if self.device.type != "cpu" and has_room(self.device, self.features.nbytes):
            return self._run(C, start, self.on_device.mean_slopes)
        # One BLAS thread each: threads within products this small wait more than they work.
        with (
            _blas().limit(limits=1, user_api="blas"),
            ThreadPoolExecutor(torch.get_num_threads()) as threads,
        ):
            return self._run(C, start, partial(self.mean_slopes, threads=threads))

    @cached_property
    def on_device(self) -> DeviceTable:
        """The table, once for all C."""
        return DeviceTable.of(
            self.features, self.standardiser, self.labels, self.class_weights, self.loss,
            self.device,
        )  # fmt: skip

    def _run(
        self, C: float, start: LinearModel, mean_slopes: Callable[[np.ndarray, np.ndarray], Slopes]
    ) -> LinearModel:
        coordinates = self.axes.at(C * self.curvature)
        count = self.in_all or len(self.labels)
        # The bias sees a column of ones, of which the eigenvalue is the number of rows.
        bias_stretch = (C * self.curvature * count) ** -0.5
        classes, decay = len(start.bias), 1 / (C * count)

        def to_model(inner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            weight = inner[:-classes].reshape(start.weight.shape).astype(np.float32)
            bias = inner[-classes:] * bias_stretch
            return coordinates.to_weight(weight), bias.astype(np.float32)

        def objective(inner: np.ndarray) -> tuple[float, np.ndarray]:
            weight, bias = to_model(inner)
            mean = mean_slopes(weight, bias)
            value = mean.loss + 0.5 * decay * float(np.square(weight, dtype=np.float64).sum())
            slope = coordinates.slope(mean.weight + np.float32(decay) * weight)
            return value, np.concatenate(
                [slope.ravel().astype(np.float64), mean.bias * bias_stretch]
            )

        inner = coordinates.from_weight(start.weight)
        result = minimize(
            objective,
            np.concatenate([inner.ravel(), start.bias / bias_stretch]).astype(np.float64),
            jac=True,
            method="L-BFGS-B",
            options={
                "maxcor": 20, "ftol": self.tolerance, "gtol": 0.0,
                "maxiter": self.max_steps, "maxfun": 4 * self.max_steps,
            },
        )  # fmt: skip
        # Where the search along a line finds nothing lower on a slope this flat, the objective has
        # stopped falling: what is left is the rounding of sums in float32.
        at_rounding = result.status == _NOTHING_LOWER and np.abs(result.jac).max() < _FLAT
        converged = bool(result.success or at_rounding)
        return LinearModel(*to_model(result.x), converged=converged, steps=int(result.nit))

    def mean_slopes(
        self,
        weight: Float32[np.ndarray, "k d"],
        bias: Float32[np.ndarray, " k"],
        threads: ThreadPoolExecutor,
    ) -> Slopes:
        """Mean loss over the rows, and its slopes."""
        count = len(self.labels)
        edges = np.linspace(0, count, min(_SHARES, -(-count // BLOCK)) + 1).astype(int)
        parts = threads.map(
            lambda start, stop: self._slopes(weight, bias, slice(start, stop)), edges, edges[1:]
        )
        total = reduce(Slopes.__add__, parts)
        return Slopes(total.loss / count, total.weight / np.float32(count), total.bias / count)

    def _slopes(
        self, weight: Float32[np.ndarray, "k d"], bias: Float32[np.ndarray, " k"], part: slice
    ) -> Slopes:
        """Sums over the rows of one part."""
        labels, total = self.labels[part], 0.0
        weight_slope, bias_slope = np.zeros_like(weight), np.zeros(len(bias))
        for rows, block in self.standardiser.blocks(self.features[part]):
            losses, slope = self._weighed(
                *self.loss.of_block(block @ weight.T + bias, labels[rows]), labels[rows]
            )
            total += float(losses.sum(dtype=np.float64))
            weight_slope += slope.T @ block
            bias_slope += slope.sum(axis=0, dtype=np.float64)
        return Slopes(total, weight_slope, bias_slope)

    def _weighed(
        self,
        losses: Float[np.ndarray, "b j"],
        slope: Float[np.ndarray, "b k"],
        labels: Int64[np.ndarray, " b"],
    ) -> tuple[Float[np.ndarray, "b j"], Float[np.ndarray, "b k"]]:
        if self.class_weights is None:
            return losses, slope
        weights = self.class_weights.astype(np.float32)[labels, None]
        return losses * weights, slope * weights
