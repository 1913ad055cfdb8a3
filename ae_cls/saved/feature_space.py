"""How far features are from those of training images."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float32

from ae_cls.machine.threads import leading_eigenvectors

AXES = 32
"""Directions in which distances are taken: on Fashion-MNIST found more than 8, 16 or 64."""
POINTS = 500
"""Training images to which distances are taken."""
_LEAST_SPREAD = 1e-6
_ROUNDING = 1e-3  # of the largest deviation: below it float32 products give directions of their own

Array = Float32[np.ndarray, "..."]


@final
@dataclass(frozen=True)
class FeatureSpace:
    """The main directions of training features, and some of the features themselves.

    Attributes:
        middle: mean feature (d,).
        axes: main directions, each divided by the standard deviation along it (k, d).
        points: training features in these directions (p, k).
    """

    middle: Array
    axes: Array
    points: Array

    @classmethod
    def of(cls, features: Float32[np.ndarray, "n d"]) -> "FeatureSpace":
        """The main directions of these features, and some of them, evenly spaced."""
        middle = features.mean(0, dtype=np.float64).astype(np.float32)
        away = features - middle
        # Of n rows in many dimensions: the n x n products have the same directions, and are small.
        products = (away @ away.T).astype(np.float64)
        count = max(1, min(AXES, len(features) // 4))
        spread, vectors = leading_eigenvectors(products, count)
        deviations = np.sqrt(np.maximum(spread, 0) / len(features))
        sums = np.sqrt(len(features)) * deviations
        real = deviations > max(_LEAST_SPREAD, _ROUNDING * deviations.max())
        directions = (vectors[:, real] / sums[real]).T.astype(np.float32) @ away
        axes = directions / deviations[real, None].astype(np.float32)
        spaced = np.linspace(0, len(away) - 1, min(POINTS, len(away))).astype(np.int64)
        return cls(middle, axes, away[spaced] @ axes.T)

    def is_sound(self) -> bool:
        """Whether its arrays go with one another."""
        middle, axes, points = self.middle, self.axes, self.points
        if (middle.ndim, axes.ndim, points.ndim) != (1, 2, 2) or not len(points):
            return False
        return axes.shape[1] == len(middle) and points.shape[1] == len(axes)

    def distances(self, features: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, " n"]:
        """To the nearest of the points, in standard deviations."""
        # By torch: the threads of NumPy's products would compete with those of the network.
        middle, axes, points = map(torch.from_numpy, (self.middle, self.axes, self.points))
        places = (torch.from_numpy(features) - middle) @ axes.T
        return torch.cdist(places, points).amin(1).numpy()
