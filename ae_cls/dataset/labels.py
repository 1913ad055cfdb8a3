"""Which training rows show their label: draws that nest, so that budgets can be compared."""

from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Int64
from pydantic import Field, model_validator

from ae_cls.dataset.contract import Rows
from ae_cls.draws import generator
from ae_cls.errors import UsageError
from ae_cls.evaluate.metrics import Measure
from ae_cls.settings import Settings


@final
class LabelsConfig(Settings):
    """How many labels are shown, and on which of them settings are chosen.

    A budget is all labels that are read before the test, those for choosing included, unless
    `choose` says otherwise. The encoder sees all training images whatever stands here.
    """

    per_class: int | None = Field(ge=1, description="labels of each class")
    fraction: float | None = Field(gt=0, le=1, description="share of the training labels")
    count: int | None = Field(ge=1, description="labels in all, each class at least once")
    draw: int | None = Field(ge=0, lt=2**32, description="seed of the draw; null: the run's seed")
    choose: Literal["within", "validation"] | None = Field(
        description="labels that settings are chosen on: within: those shown, by folds; "
        "validation: those of the validation part besides; null: within if there is a budget, else "
        "validation"
    )
    choose_by: Measure = Field(
        description="measure that the head is chosen by: accuracy, balanced_accuracy or macro_f1"
    )

    @model_validator(mode="after")
    def _one_budget(self) -> "LabelsConfig":
        if sum(value is not None for value in self._budgets) > 1:
            raise ValueError("give only one of per_class, fraction and count")
        return self

    @property
    def chooses_within(self) -> bool:
        """Whether no label is read before the test but those that are shown."""
        if self.choose is None:
            return any(value is not None for value in self._budgets)
        return self.choose == "within"

    @property
    def _budgets(self) -> tuple[int | float | None, ...]:
        return self.per_class, self.fraction, self.count


ALL_SHOWN = LabelsConfig(
    per_class=None, fraction=None, count=None, draw=None, choose=None, choose_by="accuracy"
)
"""No budget: for what reads no label, or looks at all of them."""


def draw_labelled(
    train: Rows,
    classes: Int64[np.ndarray, " n"],
    class_names: tuple[str, ...],
    labels: LabelsConfig,
    seed: int,
) -> Rows:
    """The rows of `train` whose labels are shown, in ascending order.

    With the same seed, a smaller budget is a subset of a larger one.

    Args:
        train: rows, at least one of every class.
        classes: class index of each of them.
        class_names: for messages.
        labels: the budget; without one all labels are shown.
        seed: of the draw.

    Raises:
        UsageError: the budget exceeds what there is, or leaves a class out.
    """
    orders = [
        shuffled(train[classes == index], seed, "labels", index)
        for index in range(len(class_names))
    ]
    if labels.per_class is not None:
        _refuse_scarce_class(orders, class_names, labels.per_class)
        return np.sort(np.concatenate([order[: labels.per_class] for order in orders]))
    count = _budget(labels, len(train), len(class_names))
    return np.sort(_stratified_order(orders, seed)[:count])


def shuffled(rows: Rows, seed: int, *purpose: str | int) -> Rows:
    """The rows in an order that follows from the seed and the purpose."""
    order = torch.randperm(len(rows), generator=generator(seed, *purpose))
    return rows[order.numpy()]


def _stratified_order(orders: list[Rows], seed: int) -> Rows:
    """All rows, such that each prefix has the classes in proportion, and each class comes early.

    The j-th of n rows of a class stands at (j + 1/2) / n of the way; first rows move to the front.
    """
    places = [(np.arange(len(order)) + 0.5) / len(order) for order in orders]
    for place in places:
        place[0] = 0.0
    # Equal places go by a drawn order of the classes, or the first class would always win.
    ranks = shuffled(np.arange(len(orders)), seed, "labels", "ties")
    ties = [np.full(len(order), rank) for order, rank in zip(orders, ranks, strict=True)]
    by_place_then_tie = np.lexsort((np.concatenate(ties), np.concatenate(places)))
    return np.concatenate(orders)[by_place_then_tie]


def _budget(labels: LabelsConfig, most: int, least: int) -> int:
    if labels.count is not None:
        key, count = f"labels.count={labels.count}", labels.count
    elif labels.fraction is not None:
        key, count = f"labels.fraction={labels.fraction:g}", round(labels.fraction * most)
    else:
        return most
    if not least <= count <= most:
        raise UsageError(
            f"{key} asks for {count} labels",
            where=key.split("=")[0],
            why=f"there are {least} classes and {most} training labels",
            fix=f"labels.count from {least} to {most}",
        )
    return count


def _refuse_scarce_class(orders: list[Rows], class_names: tuple[str, ...], per_class: int) -> None:
    counts = [len(order) for order in orders]
    fewest = min(counts)
    if per_class > fewest:
        raise UsageError(
            f"labels.per_class={per_class} is more than a class has",
            where="labels.per_class",
            why=f"the class {class_names[counts.index(fewest)]} has {fewest} training labels",
            fix=f"labels.per_class={fewest} or less",
        )
