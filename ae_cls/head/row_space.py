"""Where a linear model on few rows is found: in the span of the rows, not among all features."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float32

from ae_cls.head.descent import WIDEST, Axes, LinearModel
from ae_cls.head.fitted import Features
from ae_cls.head.standardise import Standardiser

_LEAST = 1e-10  # of the largest eigenvalue; smaller ones are rounding of float32


@final
@dataclass(frozen=True)
class Space:
    """A table in which a penalised linear model has the same minimum as on the features.

    The penalty makes a weight a sum of rows (the representer theorem), so that 80 rows of 1,408
    features need 80 numbers each: steps cost less, and the axes are known without the features'
    own, which take seconds.

    Attributes:
        table: one row for each row of the features.
        standardiser: of the table.
        axes: of the standardised table.
        vectors: from a row of the table to the standardised features; None: the table is them.
    """

    table: Features
    standardiser: Standardiser
    axes: Axes
    vectors: Float32[np.ndarray, "width d"] | None

    @classmethod
    def of(cls, features: Features, standardiser: Standardiser) -> "Space":
        """The span of the rows where they are fewer than the features, else the features."""
        count, width = features.shape
        if count >= width or count > WIDEST:
            return cls(features, standardiser, Axes.of(features, standardiser), None)
        rows = torch.from_numpy(standardiser.apply(features)).double()
        values, vectors = torch.linalg.eigh(rows @ rows.T)
        kept = values >= _LEAST * values[-1]
        kept[-1] = True  # also where all rows are equal
        lengths, vectors = values[kept].clamp(min=0).sqrt(), vectors[:, kept]
        table = (vectors * lengths).float().numpy()
        axes = Axes(None, lengths.square().float().numpy())
        back = (rows.T @ (vectors / lengths.clamp(min=1e-30))).float().numpy()
        return cls(table, Standardiser.identity(len(lengths)), axes, back)

    def to_features(self, model: LinearModel) -> LinearModel:
        """The model of the table as one of the standardised features."""
        if self.vectors is None:
            return model
        return replace(model, weight=model.weight @ self.vectors.T)
