"""What a head on frozen features learns from."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, final

import numpy as np
import torch
from jaxtyping import Int64

from ae_cls.errors import TrainingError, UsageError
from ae_cls.evaluate.metrics import Measure
from ae_cls.head.fitted import Features, FittedHead, Labelled, Pool
from ae_cls.terminal.progress import progressing

Classes = Int64[np.ndarray, " s"]
"""Class indices that have a labelled row, rising."""

CPU = torch.device("cpu")

Item = TypeVar("Item")
Made = TypeVar("Made")


@final
@dataclass(frozen=True)
class FeatureTask:
    """Features and labels to fit on, and rows to judge by.

    Attributes:
        train: the labelled rows to fit on.
        held: rows that are not fitted on, by which settings are judged; none where they are chosen.
        class_count: columns of the probabilities; may exceed the classes seen in `train`.
        choose_by: what is best on the rows held out.
        seed: every random draw follows from it.
        progress: whether it is shown how far the work is.
        pool: what there is to learn from, rows without a label too.
        whole: the task that this one is a fold of, if it is.
        kept: positions of its rows among those of the whole task.
        device: where linear algebra on large tables is done.
        in_all: rows there are to learn from where this task has a part of them; None: it has all.
        near: what a part of the rows gave with the setting that all are now fitted with, from where
            a search may begin; None: there is no such head.

    Raises:
        UsageError: there is one class only.
        TrainingError: features are not finite.
    """

    train: Labelled
    held: Labelled
    class_count: int
    choose_by: Measure
    seed: int
    progress: bool
    pool: Pool
    whole: "FeatureTask | None" = None
    kept: Int64[np.ndarray, " _"] | None = None
    device: torch.device = CPU
    in_all: int | None = None
    near: FittedHead | None = None
    _made: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise UsageError(
                "a head needs labels of at least two classes",
                where=f"{len(self.train.labels)} labelled rows, of {len(self.classes)} class",
                fix="give more labels, for example labels.per_class=10",
            )
        if self.whole is None and self.near is None:  # else all rows have been looked at
            for features in (self.pool.features, self.held.features):
                _refuse_non_finite(features)

    @cached_property
    def classes(self) -> Classes:
        """The class indices that have a labelled row, in order."""
        return np.unique(self.train.labels)

    def fold(self, held: Int64[np.ndarray, " h"]) -> "FeatureTask":
        """The rows at these positions held back, and the others to fit on; the pool keeps all."""
        kept = np.delete(np.arange(len(self.train.labels)), held)
        places = self.pool.labelled
        return replace(
            self, train=self.train.rows(kept), held=self.train.rows(held), whole=self, kept=kept,
            pool=replace(self.pool, labelled=places[kept], held=places[held]),
        )  # fmt: skip

    def part(self, rows: Int64[np.ndarray, " _"]) -> "FeatureTask":
        """The rows at these positions, of which settings are tried; others are as if not there."""
        train = self.train.rows(rows)
        pool = Pool.of(train.features, np.arange(len(rows)))
        count = len(self.train.labels)
        return replace(self, train=train, pool=pool, in_all=count, _made={})

    @property
    def is_part(self) -> bool:
        """Whether there are more rows, which the chosen setting is fitted on."""
        return self.in_all is not None

    @property
    def size_in_words(self) -> str:
        """How many rows there are to fit on, of how many."""
        count = f"{len(self.train.labels):,}"
        return count if self.in_all is None else f"{count} of {self.in_all:,}"

    @property
    def is_only_tried(self) -> bool:
        """Whether what is fitted on it is judged and left, so that a warning would come again."""
        return self.whole is not None or self.is_part

    def once(self, make: Callable[["FeatureTask"], Made]) -> Made:
        """What `make` gives of the whole task: made once for it and all its folds."""
        whole = self.whole or self
        if make not in whole._made:
            whole._made[make] = make(whole)
        return whole._made[make]

    def bar(self, items: Iterable[Item], *, name: str, unit: str, total: int) -> Iterator[Item]:
        """The items, with the progress of what is done with them."""
        return progressing(items, name, total=total, unit=unit, shown=self.progress)


def _refuse_non_finite(features: Features) -> None:
    # One infinite or undefined number makes its column's sum so: no table of flags is made.
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(~np.isfinite(features.sum(axis=0, dtype=np.float64)))
    if len(wrong):
        raise TrainingError(
            "the encoder gave features that are not finite",
            where=f"{len(wrong)} of {features.shape[1]} columns, the first is {wrong[0]}",
            fix="pretrain again with a lower learning rate, or with precision=fp32",
        )
