"""The kernel exp(-gamma · squared distance) as coordinates (Nyström; Williams & Seeger 2001)."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float32

from ae_cls.head.feature_task import CPU
from ae_cls.head.fitted import Features
from ae_cls.head.standardise import Standardiser, as_tensor
from ae_cls.machine.threads import eigenvectors

_BLOCK = 1024  # rows at a time
_LEAST_EIGENVALUE = 1e-6  # of the basis' kernel; float32 cannot tell smaller ones from 0

Distances = Float32[np.ndarray, "n m"]
"""Squared distances of rows to the rows of a basis."""


def squared_distances(
    features: Features,
    standardiser: Standardiser,
    basis: Float32[np.ndarray, "m d"],
    device: torch.device = CPU,
) -> Distances:
    """From each row of features, once standardised, to each row of the basis."""
    others = as_tensor(basis).to(device)
    lengths = others.square().sum(1)
    distances = np.empty((len(features), len(basis)), np.float32)
    for rows, block in standardiser.blocks(features, _BLOCK):
        queries = torch.from_numpy(block).to(device)
        products = (queries @ others.T).mul_(-2).add_(lengths)
        products.add_(queries.square().sum(1, keepdim=True)).clamp_(min=0)
        distances[rows] = products.cpu().numpy()
    return distances


def rbf(distances: Distances, gamma: float) -> Float32[np.ndarray, "n m"]:
    """exp(-gamma · squared distance)."""
    return torch.from_numpy(distances).mul(-gamma).exp_().numpy()


@final
@dataclass(frozen=True)
class Coordinates:
    """Kernel values between a row and the basis to coordinates.

    Products of coordinates approximate the kernel, exactly so among the rows of the basis.

    Attributes:
        transform: coordinates = kernel values · transform.
        values: sum of each squared coordinate over the basis; products of two different ones sum
            to 0.
    """

    transform: Float32[np.ndarray, "m r"]
    values: Float32[np.ndarray, " r"]

    @classmethod
    def of(cls, kernel: Float32[np.ndarray, "m m"]) -> "Coordinates":
        """From the kernel of all pairs of rows of the basis."""
        values, vectors = eigenvectors(torch.from_numpy(kernel).double())
        kept = values > _LEAST_EIGENVALUE
        values, vectors = values[kept], vectors[:, kept]
        return cls((vectors * values.rsqrt()).float().numpy(), values.float().numpy())

    def apply(
        self, distances: Distances, gamma: float, device: torch.device = CPU
    ) -> Float32[np.ndarray, "n r"]:
        """The coordinates of rows."""
        table = np.empty((len(distances), len(self.values)), np.float32)
        transform = torch.from_numpy(self.transform).to(device)
        for start in range(0, len(distances), _BLOCK):
            block = slice(start, start + _BLOCK)
            kernel = torch.from_numpy(distances[block]).to(device).mul(-gamma).exp_()
            table[block] = (kernel @ transform).cpu().numpy()
        return table
