"""A linear machine for many rows, on the features or on an approximate kernel (Nyström).

Williams & Seeger 2001 for the approximation. The machine minimises what scikit-learn's LinearSVC
does, which would need 16 bytes for each number of its table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float32, Float64

from ae_cls.draws import generator
from ae_cls.head.descent import Axes, Descent, squared_hinge
from ae_cls.head.fitted import Fact, Features, Labelled
from ae_cls.head.head_files import Arrays, Layout
from ae_cls.head.standardise import Standardiser, as_tensor
from ae_cls.head.svm_machine import Candidate, Machine, gamma_scale, rbf
from ae_cls.head.warm_start import along

LINEAR_LAYOUT: Layout = {
    "mean": (np.float32, "d"),
    "scale": (np.float32, "d"),
    "weight": (np.float32, "kd"),
    "bias": (np.float32, "k"),
}
KERNEL_LAYOUT: Layout = {
    **LINEAR_LAYOUT,
    "weight": (np.float32, "km"),
    "basis": (np.float32, "md"),
    "whitening": (np.float32, "mm"),
    "gamma": (np.float64, "o"),
}
_QUERIES = 1024  # rows at a time
_LEAST_EIGENVALUE = 1e-6  # of the basis' kernel; float32 cannot tell smaller ones from 0


@final
@dataclass(frozen=True)
class Kernel:
    """exp(-gamma · squared distance) to some training rows, turned into coordinates.

    Inner products of the coordinates approximate the kernel, exactly so among the rows of `basis`.
    """

    basis: Float32[np.ndarray, "m d"]
    whitening: Float32[np.ndarray, "m m"]
    gamma: float

    @classmethod
    def fit(
        cls, features: Features, standardiser: Standardiser, *, gamma: float, count: int, seed: int
    ) -> "Kernel":
        """From `count` rows drawn at random, or all where there are fewer."""
        order = torch.randperm(len(features), generator=generator(seed, "head", "nystroem"))
        basis = standardiser.apply(features[np.sort(order[:count].numpy())])
        values, vectors = torch.linalg.eigh(rbf(as_tensor(basis), as_tensor(basis), gamma).double())
        roots = values.clamp(min=_LEAST_EIGENVALUE).rsqrt()
        return cls(basis, ((vectors * roots) @ vectors.T).float().numpy(), gamma)

    def coordinates(
        self, features: Features, standardiser: Standardiser
    ) -> Float32[np.ndarray, "n m"]:
        """One row of coordinates a row of features."""
        table = np.empty((len(features), len(self.basis)), np.float32)
        basis, whitening = as_tensor(self.basis), as_tensor(self.whitening)
        for rows, block in standardiser.blocks(features, _QUERIES):
            table[rows] = (rbf(torch.from_numpy(block), basis, self.gamma) @ whitening).numpy()
        return table


def kernel_candidates(
    train: Labelled,
    standardiser: Standardiser,
    *,
    strengths: tuple[float, ...],
    gammas: tuple[float, ...],
    components: int,
    tolerance: float,
    max_steps: int,
    seed: int,
) -> Iterator[Candidate]:
    """One machine for each gamma (a factor on "scale") and C."""
    scale = gamma_scale(train.features, standardiser)
    for gamma in gammas:
        kernel = Kernel.fit(
            train.features, standardiser, gamma=gamma * scale, count=components, seed=seed
        )
        coordinates = Labelled(kernel.coordinates(train.features, standardiser), train.labels)
        plain = Standardiser.identity(coordinates.features.shape[1])
        for line in _lines(coordinates, plain, strengths, tolerance, max_steps):
            machine = Approximate(standardiser, kernel, line.weight, line.bias)
            yield Candidate(machine, {"C": line.strength, "gamma": gamma}, line.facts)


def linear_candidates(
    train: Labelled,
    standardiser: Standardiser,
    *,
    strengths: tuple[float, ...],
    tolerance: float,
    max_steps: int,
) -> Iterator[Candidate]:
    """One machine for each C."""
    for line in _lines(train, standardiser, strengths, tolerance, max_steps):
        machine = Approximate(standardiser, None, line.weight, line.bias)
        yield Candidate(machine, {"C": line.strength}, line.facts)


@final
@dataclass(frozen=True)
class _Line:
    strength: float
    weight: Float32[np.ndarray, "k m"]
    bias: Float32[np.ndarray, " k"]
    facts: dict[str, Fact]


def _lines(
    train: Labelled,
    standardiser: Standardiser,
    strengths: tuple[float, ...],
    tolerance: float,
    max_steps: int,
) -> Iterator[_Line]:
    descent = Descent(
        features=train.features,
        standardiser=standardiser,
        labels=train.labels,
        class_count=int(train.labels.max()) + 1,
        loss=squared_hinge,
        curvature=1.0,  # 2 for a row inside the margin, 0 outside
        axes=Axes.of(train.features, standardiser),
        tolerance=tolerance,
        max_steps=max_steps,
    )
    for strength, line in along(descent, strengths):
        facts: dict[str, Fact] = {"converged": line.converged, "steps": line.steps}
        yield _Line(strength, line.weight, line.bias, facts)


@final
@dataclass(frozen=True)
class Approximate(Machine):
    """weight · coordinates + bias; without a kernel, of the standardised features themselves."""

    standardiser: Standardiser
    kernel: Kernel | None
    weight: Float32[np.ndarray, "k m"]
    bias: Float32[np.ndarray, " k"]

    def scores(self, features: Features) -> Float64[np.ndarray, "n k"]:
        parts = [
            self._coordinates(features[start : start + _QUERIES]) @ self.weight.T + self.bias
            for start in range(0, len(features), _QUERIES)
        ]
        return np.concatenate(parts).astype(np.float64)

    def _coordinates(self, features: Features) -> Float32[np.ndarray, "n m"]:
        if self.kernel is None:
            return self.standardiser.apply(features)
        return self.kernel.coordinates(features, self.standardiser)

    def arrays(self) -> Arrays:
        arrays: Arrays = {
            "mean": self.standardiser.mean,
            "scale": self.standardiser.scale,
            "weight": self.weight,
            "bias": self.bias,
        }
        if self.kernel is not None:
            arrays["basis"], arrays["whitening"] = self.kernel.basis, self.kernel.whitening
            arrays["gamma"] = np.array([self.kernel.gamma])
        return arrays


def read_approximate(arrays: Arrays) -> Approximate:
    """The machine that checked arrays describe."""
    kernel = None
    if "basis" in arrays:
        kernel = Kernel(arrays["basis"], arrays["whitening"], float(arrays["gamma"][0]))
    standardiser = Standardiser.read(arrays)
    return Approximate(standardiser, kernel, arrays["weight"], arrays["bias"])
