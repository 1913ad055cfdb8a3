"""Linear models on large tables by preconditioned L-BFGS.

scikit-learn's solver needs a standardised copy of the table, and did not converge in 200 steps on
convolutional features. Here the table is read in blocks, and the steps are taken in the axes of the
features' scatter matrix, where the objective is nearly round.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from scipy.optimize import minimize
from torch import Tensor

from ae_cls.head.fitted import Features, Labels
from ae_cls.head.standardise import Standardiser, as_tensor

_WIDEST = 4096  # features; above, the axes would cost more time and memory than they save
_GRAM_BLOCK = 2048  # rows

Loss = Callable[[Float[Tensor, "b k"], Int64[Tensor, " b"]], tuple[float, Float[Tensor, "b k"]]]
"""Scores and class indices to the summed loss and its slope at each score."""


def log_loss(
    scores: Float[Tensor, "b k"], labels: Int64[Tensor, " b"]
) -> tuple[float, Float[Tensor, "b k"]]:
    """Multinomial log loss."""
    logs = scores.log_softmax(1)
    total = -logs.gather(1, labels[:, None]).double().sum()
    slope = logs.exp()
    slope[torch.arange(len(labels)), labels] -= 1
    return float(total), slope


def squared_hinge(
    scores: Float[Tensor, "b k"], labels: Int64[Tensor, " b"]
) -> tuple[float, Float[Tensor, "b k"]]:
    """Squared hinge loss of each class against the rest, as scikit-learn's LinearSVC."""
    signs = torch.full_like(scores, -1.0)
    signs[torch.arange(len(labels)), labels] = 1
    short = (1 - signs * scores).clamp(min=0)
    return float(short.square().double().sum()), -2 * signs * short


@final
@dataclass(frozen=True)
class Line:
    """scores = weight · standardised features + bias.

    Attributes:
        weight: one row a class.
        bias: one number a class.
        converged: whether the objective had stopped falling before the last allowed step.
        steps: how many were taken.
    """

    weight: Float64[np.ndarray, "k d"]
    bias: Float64[np.ndarray, " k"]
    converged: bool
    steps: int


@final
@dataclass(frozen=True)
class Axes:
    """Eigenvectors of the standardised features' scatter matrix, and its eigenvalues."""

    vectors: Float32[Tensor, "d d"] | None  # None: the coordinate axes
    values: Float32[Tensor, " d"]

    @classmethod
    def of(cls, features: Features, standardiser: Standardiser) -> "Axes":
        """The axes in which a linear model's objective is nearly round."""
        width = features.shape[1]
        if width > _WIDEST:
            return cls(None, torch.full((width,), float(len(features))))
        scatter = torch.zeros(width, width)
        for _, block in standardiser.blocks(features, _GRAM_BLOCK):
            scatter.addmm_(block.T, block)
        values, vectors = torch.linalg.eigh(scatter)
        return cls(vectors, values.clamp(min=0))

    def to_weight(self, inner: Float32[Tensor, "k d"]) -> Float32[Tensor, "k d"]:
        """From these axes to the features."""
        return inner if self.vectors is None else inner @ self.vectors.T

    def from_weight(self, weight: Float32[Tensor, "k d"]) -> Float32[Tensor, "k d"]:
        """From the features to these axes."""
        return weight if self.vectors is None else weight @ self.vectors


@final
@dataclass(frozen=True)
class Descent:
    """Minimises 0.5·|weight|² + strength · summed loss; the bias is not penalised.

    Attributes:
        features: read in blocks, never copied.
        standardiser: makes each block.
        labels: class index of each row, 0 to class_count - 1.
        class_count: rows of the weight.
        loss: of a block.
        curvature: of the loss along a score, roughly; scales the axes.
        axes: of the standardised features.
        tolerance: stops at a step that lowers the objective, a mean over the rows, by less.
        max_steps: of L-BFGS.
    """

    features: Features
    standardiser: Standardiser
    labels: Labels
    class_count: int
    loss: Loss
    curvature: float
    axes: Axes
    tolerance: float
    max_steps: int

    def start(self) -> Line:
        """All zeros."""
        shape = self.class_count, self.features.shape[1]
        return Line(np.zeros(shape), np.zeros(self.class_count), converged=False, steps=0)

    def run(self, strength: float, start: Line) -> Line:
        """The minimum, searched from `start`."""
        stretch = (1 + strength * self.curvature * self.axes.values).rsqrt()
        # The bias sees a column of ones, of which the eigenvalue is the number of rows.
        bias_stretch = (strength * self.curvature * len(self.labels)) ** -0.5
        shape = start.weight.shape

        def to_line(inner: np.ndarray) -> tuple[Tensor, Tensor]:
            weight = _float32(inner[: -len(start.bias)].reshape(shape)) * stretch
            return self.axes.to_weight(weight), _float32(inner[-len(start.bias) :] * bias_stretch)

        def objective(inner: np.ndarray) -> tuple[float, np.ndarray]:
            weight, bias = to_line(inner)
            value, weight_slope, bias_slope = self._objective(weight, bias, strength)
            slope = (self.axes.from_weight(weight_slope) * stretch).double().numpy()
            return value, np.concatenate([slope.ravel(), bias_slope * bias_stretch])

        inner = self.axes.from_weight(_float32(start.weight)) / stretch
        found = minimize(
            objective,
            np.concatenate([inner.double().numpy().ravel(), start.bias / bias_stretch]),
            jac=True,
            method="L-BFGS-B",
            options={
                "maxcor": 20, "ftol": self.tolerance, "gtol": 0.0,
                "maxiter": self.max_steps, "maxfun": 4 * self.max_steps,
            },
        )  # fmt: skip
        weight, bias = to_line(found.x)
        return Line(
            weight.double().numpy(), bias.double().numpy(), bool(found.success), int(found.nit)
        )

    def _objective(
        self, weight: Float32[Tensor, "k d"], bias: Float32[Tensor, " k"], strength: float
    ) -> tuple[float, Float32[Tensor, "k d"], Float64[np.ndarray, " k"]]:
        """Objective and slopes, each divided by strength · rows: a mean over the rows."""
        labels, total = as_tensor(self.labels), 0.0
        weight_slope, bias_slope = torch.zeros_like(weight), torch.zeros(len(bias)).double()
        for rows, block in self.standardiser.blocks(self.features):
            loss, slope = self.loss(torch.addmm(bias, block, weight.T), labels[rows])
            total += loss
            weight_slope.addmm_(slope.T, block)
            bias_slope += slope.double().sum(0)
        count, decay = len(self.labels), 1 / (strength * len(self.labels))
        value = total / count + 0.5 * decay * float(weight.double().square().sum())
        return value, weight_slope / count + decay * weight, (bias_slope / count).numpy()


def _float32(array: np.ndarray) -> Float32[Tensor, "..."]:
    return torch.from_numpy(array.astype(np.float32))
