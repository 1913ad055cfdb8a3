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

NEVER = -1e30
"""The bias of a class without labels: its probability is exactly 0, and the number is finite."""


@final
@dataclass(frozen=True)
class Labelled:
    """Features and the class index of each row."""

    features: Features
    labels: Labels

    def rows(self, positions: Int64[np.ndarray, " p"]) -> "Labelled":
        return Labelled(self.features[positions], self.labels[positions])


@final
@dataclass(frozen=True)
class Pool:
    """Features of all images that a head may learn from, most of them often without a label.

    Attributes:
        features: of all of them.
        labelled: position of each labelled row in it.
        held: position of each row that is held back; none where these are not in it.
    """

    features: Features
    labelled: Int64[np.ndarray, " l"]
    held: Int64[np.ndarray, " h"]

    @classmethod
    def of(cls, features: Features, labelled: Int64[np.ndarray, " l"]) -> "Pool":
        """With no row held back."""
        return cls(features, labelled, np.zeros(0, np.int64))


@dataclass(frozen=True, kw_only=True)
class FittedHead(ABC):
    """A head after fitting. Predicting does not change it.

    Attributes:
        facts: what fitting chose and saw: the trials, the chosen one and on what, `converged`.
    """

    facts: Mapping[str, Fact]

    @abstractmethod
    def predict_proba(self, features: Features) -> Probabilities:
        """One probability a class; rows sum to 1."""

    @abstractmethod
    def files(self) -> dict[str, bytes]:
        """Everything needed to predict again, by file name (`head.*`), without pickle."""

    @classmethod
    @abstractmethod
    def load(cls, files: Mapping[str, bytes], head: str) -> "FittedHead":
        """The head of that name in the config, from its `files`.

        Raises:
            ModelFileError: a file is missing, damaged, of another head, or holds a type that is
                not allowed.
        """
