"""Where a linear model on few rows is found: in the span of the rows, not among all features."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float32

from ae_cls.head.axes import WIDEST, Axes, Uncorrelated, axes_of
from ae_cls.head.descent import LinearModel
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import Features
from ae_cls.head.standardise import Standardiser
from ae_cls.machine.threads import eigenvectors

_LARGEST_COPY = 2**28  # bytes of a table that is standardised once and not at each look
_LEAST = 1e-10  # of the largest eigenvalue; smaller ones are rounding of float32


@final
@dataclass(frozen=True)
class Space:
    """A table in which a penalised linear model has the same minimum as on the features.

    Where the features are not too large it is they, standardised, else they as they are.

    The penalty makes a weight a sum of rows (the representer theorem), so that 80 rows of 1,408
    features need 80 numbers each: steps cost less, and the axes are known without the features'
    own, which take seconds.

    Attributes:
        table: one row for each row of the features.
        standardiser: of the table.
        of_features: that of the features.
        axes: of the standardised table.
        vectors: from a row of the table to the standardised features; None: the table is them.
    """

    table: Features
    standardiser: Standardiser
    of_features: Standardiser
    axes: Axes
    vectors: Float32[np.ndarray, "width d"] | None

    @classmethod
    def of_task(cls, task: FeatureTask) -> "Space":
        """Found once for a task and all its folds, whose rows are standardised by those of all.

        A fold's own mean and scale would differ by a few per cent, and no label is in them.
        """
        whole = task.once(cls._of_whole)
        return whole if task.whole is None else whole._of_fold(task)

    @classmethod
    def _of_whole(cls, task: FeatureTask) -> "Space":
        return cls.of(task.train.features, Standardiser.fit(task.train.features))

    @classmethod
    def of(cls, features: Features, standardiser: Standardiser) -> "Space":
        """The span of the rows where they are fewer than the features, else the features."""
        count, width = features.shape
        if count >= width or count > WIDEST:
            return cls._of_features(features, standardiser)
        rows = torch.from_numpy(standardiser.apply(features)).double()
        values, vectors = eigenvectors(rows @ rows.T)
        kept = values >= _LEAST * values[-1]
        kept[-1] = True  # also where all rows are equal
        lengths, vectors = values[kept].clamp(min=0).sqrt(), vectors[:, kept]
        table = (vectors * lengths).float().numpy()
        axes = Uncorrelated(lengths.square().float().numpy())
        back = (rows.T @ (vectors / lengths.clamp(min=1e-30))).float().numpy()
        return cls(table, Standardiser.identity(len(lengths)), standardiser, axes, back)

    @classmethod
    def _of_features(cls, features: Features, standardiser: Standardiser) -> "Space":
        axes = axes_of(features, standardiser)
        if features.nbytes > _LARGEST_COPY:
            return cls(features, standardiser, standardiser, axes, None)
        table, as_it_is = standardiser.apply(features), Standardiser.identity(features.shape[1])
        return cls(table, as_it_is, standardiser, axes, None)

    def _of_fold(self, fold: FeatureTask) -> "Space":
        """The same for some of the rows."""
        return replace(self, table=self.table[fold.kept])

    def to_features(self, model: LinearModel) -> LinearModel:
        """The model of the table as one of the standardised features."""
        if self.vectors is None:
            return model
        return replace(model, weight=model.weight @ self.vectors.T)
