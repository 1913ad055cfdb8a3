"""What the exact and the approximate support vector machine have in common."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float32, Float64
from torch import Tensor

from ae_cls.head.fitted import Fact, Features
from ae_cls.head.head_files import Arrays
from ae_cls.head.standardise import Standardiser


class Machine(ABC):
    """Scores of rows of features, after fitting."""

    @abstractmethod
    def scores(self, features: Features) -> Float64[np.ndarray, "n k"]:
        """One score a class; the largest is the prediction."""

    @abstractmethod
    def arrays(self) -> Arrays:
        """What head.safetensors is to hold of it."""


@final
@dataclass(frozen=True)
class Candidate:
    """A machine, the setting it was fitted with, and what fitting saw."""

    machine: Machine
    setting: dict[str, Fact]
    facts: dict[str, Fact]


def gamma_scale(features: Features, standardiser: Standardiser) -> float:
    """scikit-learn's gamma "scale" of the standardised features: 1 / (features · variance)."""
    squares = sum(
        float(np.square(block).sum(dtype=np.float64)) for _, block in standardiser.blocks(features)
    )
    # The mean of standardised features is 0; where none of them varies any gamma will do.
    return len(features) / squares if squares else 1.0


def rbf(
    rows: Float32[Tensor, "b d"], others: Float32[Tensor, "m d"], gamma: float
) -> Float32[Tensor, "b m"]:
    """exp(-gamma · squared distance)."""
    lengths, other_lengths = rows.square().sum(1), others.square().sum(1)
    squares = (rows @ others.T).mul_(-2).add_(other_lengths).add_(lengths[:, None])
    return squares.clamp_(min=0).mul_(-gamma).exp_()
