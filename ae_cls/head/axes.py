"""Coordinates in which the objective of a linear model is nearly round, so that few steps do.

Its second derivative is about I + strength · S, where S is the scatter matrix of the standardised
features. With the Cholesky factor L of that, weight = inner · L^-1 makes it about I. Eigenvectors
of S would do for all strengths at once, but take as long as 50 factors.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from jaxtyping import Float32
from scipy.linalg import get_lapack_funcs
from torch import Tensor

from ae_cls.head.fitted import Features
from ae_cls.head.standardise import Standardiser

WIDEST = 4096
"""Features; above, the factors would cost more time and memory than they save."""

_SCATTER_BLOCK = 2048  # rows
# Rows a feature that the scatter is taken from: it only rounds the objective.
_ENOUGH = 4
_RUN = 64  # rows that are taken together: single ones, evenly spaced, may all be of one class
_ROUNDING = 1e-7  # of sums in float32, as a share of the largest eigenvalue

Weight = Float32[np.ndarray, "k _"]
"""A row a class."""


class Coordinates(ABC):
    """A change of variables, weight by weight."""

    @abstractmethod
    def to_weight(self, inner: Weight) -> Weight:
        """From these coordinates to the features."""

    @abstractmethod
    def from_weight(self, weight: Weight) -> Weight:
        """From the features to these coordinates."""

    @abstractmethod
    def slope(self, of_weight: Weight) -> Weight:
        """The slopes along these coordinates, from those along the features."""


class Axes(ABC):
    """What is known of the scatter matrix S of the standardised features."""

    @abstractmethod
    def at(self, strength: float) -> Coordinates:
        """The coordinates for an objective whose second derivative is about I + strength · S."""


@final
@dataclass(frozen=True)
class Scaled(Coordinates):
    """Each feature by itself."""

    scale: Float32[np.ndarray, " d"]

    def to_weight(self, inner: Weight) -> Weight:
        return inner * self.scale

    def from_weight(self, weight: Weight) -> Weight:
        return weight / self.scale

    def slope(self, of_weight: Weight) -> Weight:
        return of_weight * self.scale


@final
@dataclass(frozen=True)
class Uncorrelated(Axes):
    """The features are uncorrelated, or taken to be: S is diagonal."""

    values: Float32[np.ndarray, " d"]

    def at(self, strength: float) -> Coordinates:
        return Scaled((1 / np.sqrt(1 + strength * self.values)).astype(np.float32))


@final
@dataclass(frozen=True)
class Turned(Coordinates):
    """By the inverse of a Cholesky factor, which is lower triangular."""

    inverse: Float32[np.ndarray, "d d"]

    def to_weight(self, inner: Weight) -> Weight:
        return inner @ self.inverse

    def from_weight(self, weight: Weight) -> Weight:
        upper = torch.from_numpy(self.inverse).T
        columns = torch.from_numpy(np.ascontiguousarray(weight.T))
        return torch.linalg.solve_triangular(upper, columns, upper=True).T.numpy()

    def slope(self, of_weight: Weight) -> Weight:
        return of_weight @ self.inverse.T


@final
@dataclass(frozen=True)
class Correlated(Axes):
    """The scatter matrix itself, and the coordinates that were asked for before."""

    scatter: Float32[Tensor, "d d"]
    known: dict[float, Coordinates] = field(default_factory=dict, compare=False)

    def at(self, strength: float) -> Coordinates:
        if strength not in self.known:
            self.known[strength] = Turned(_inverse_factor(strength * self.scatter.double()))
        return self.known[strength]


def _inverse_factor(matrix: Tensor) -> Float32[np.ndarray, "d d"]:
    """Of I + matrix, whose small eigenvalues may have been rounded below -1."""
    ridge = 1 + _ROUNDING * float(matrix.trace())
    while True:
        shifted = matrix.clone()
        shifted.diagonal().add_(ridge)
        factor, failed = torch.linalg.cholesky_ex(shifted)
        if not failed:
            return _inverse_of_triangle(factor.float().numpy())
        ridge *= 10


def _inverse_of_triangle(lower: Float32[np.ndarray, "d d"]) -> Float32[np.ndarray, "d d"]:
    (invert,) = get_lapack_funcs(("trtri",), (lower,))
    inverse, _ = invert(lower, lower=1)
    return np.ascontiguousarray(np.tril(inverse))


def axes_of(features: Features, standardiser: Standardiser) -> Axes:
    """Of the standardised features; wide ones are taken to be uncorrelated."""
    count, width = features.shape
    if width > WIDEST:
        return Uncorrelated(np.full(width, count, np.float32))
    return Correlated(_scatter(features, standardiser))


def _scatter(features: Features, standardiser: Standardiser) -> Float32[Tensor, "d d"]:
    """Products of the standardised columns, summed over the rows: of many rows, an estimate."""
    count, width = features.shape
    every = max(1, count // (_ENOUGH * width))
    rows = np.flatnonzero(np.arange(count) // _RUN % every == 0)
    scatter = torch.zeros(width, width)
    for start in range(0, len(rows), _SCATTER_BLOCK):
        block = standardiser.apply(features[rows[start : start + _SCATTER_BLOCK]])
        scatter.addmm_(torch.from_numpy(block).T, torch.from_numpy(block))
    return scatter * (count / len(rows))
