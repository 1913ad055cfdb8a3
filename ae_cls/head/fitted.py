"""A head after fitting, and what it was fitted on."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float32, Float64, Int64

Features = Float32[np.ndarray, "n d"]
Labels = Int64[np.ndarray, " n"]
Probabilities = Float64[np.ndarray, "n k"]

Fact = str | int | float | bool | None | list["Fact"] | dict[str, "Fact"]
"""What JSON can hold."""


@final
@dataclass(frozen=True)
class Labelled:
    """Features and the class index of each row."""

    features: Features
    labels: Labels


class FittedHead(ABC):
    """A head after fitting. Frozen: predicting changes nothing."""

    facts: Mapping[str, Fact]
    """What fitting chose and saw: the trials on validation, the settings taken, `converged`."""

    @abstractmethod
    def predict_proba(self, features: Features) -> Probabilities:
        """One probability a class; rows sum to 1."""

    @abstractmethod
    def files(self) -> dict[str, bytes]:
        """Everything needed to predict again, by file name (`head.*`), without pickle."""
