"""What the trials of a search are compared by: always something of the validation images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

from ae_cls.evaluate.metrics import MEASURE_NAMES, Measure
from ae_cls.jobs.record import Record
from ae_cls.search.trials import Direction

Metrics = Mapping[str, Any]
"""What `metrics.json` holds."""


@final
@dataclass(frozen=True)
class Goal:
    """What a command's search is after.

    Attributes:
        name: for the user.
        direction: of the score.
        part: of the metrics, which has the score; a part of a part after a dot.
        score: name of the number that Optuna gets.
        tie: name of the number whose least decides among equals; empty: the first trial wins.
        shown: names of the numbers that the table and results.csv need, part by part.
        words: that every trial has besides.
    """

    name: str
    direction: Direction
    part: str
    score: str
    tie: str
    shown: Mapping[str, tuple[str, ...]]
    words: tuple[str, ...]

    def following(self, plain: Mapping[str, Any]) -> "Goal":
        """After the measure by which these composed values choose a head, where they have one."""
        if "labels" not in plain:
            return self
        measure: Measure = plain["labels"]["choose_by"]
        return replace(self, name=f"validation {MEASURE_NAMES[measure]}", score=measure)

    def score_of(self, metrics: Metrics) -> float:
        """What Optuna gets; the worst where a control has nothing to show (hog does not decode)."""
        numbers = _part_of(metrics, self.part)
        return numbers[self.score] if numbers else math.inf

    def rank(self, metrics: Metrics) -> tuple[float, float]:
        """Sorts trials, the best first."""
        score = self.score_of(metrics)
        best_first = -score if self.direction == "maximize" else score
        return best_first, _part_of(metrics, self.part)[self.tie] if self.tie else 0.0

    def kept(self, metrics: Metrics) -> dict[str, Any]:
        """Of the metrics, what the table, results.csv and the rank need."""
        kept: dict[str, Any] = {}
        for part, names in self.shown.items():
            if numbers := _part_of(metrics, part):
                kept |= _nested(part, {name: numbers[name] for name in names})
        # A table has columns for the measure by which heads were chosen, and for labels read.
        head = {"head": {"chosen_by": metrics["head"]["chosen_by"]}} if "head" in metrics else {}
        labels = metrics.get("protocol", {}).get("labels")
        return {**kept, **head, **({"protocol": {"labels": labels}} if labels else {})}

    def order(self, record: Record) -> tuple[float, ...]:
        """The place in the table: jobs without results come last."""
        return (0.0, *self.rank(record.metrics)) if record.is_done else (1.0,)


def _part_of(metrics: Metrics, part: str) -> Metrics:
    """Empty where the metrics lack it."""
    for name in part.split("."):
        metrics = metrics.get(name, {})
    return metrics


def _nested(part: str, numbers: Metrics) -> dict[str, Any]:
    """The same numbers where `_part_of` looks for them."""
    for name in reversed(part.split(".")):
        numbers = {name: numbers}
    return dict(numbers)


_OF_CLASSIFIERS = (
    "accuracy", "accuracy_ci95", "balanced_accuracy", "macro_f1", "log_loss", "ece", "n",
)  # fmt: skip
_OF_DECODERS = ("mse", "psnr")
_BEST_CLASSIFIER = Goal(
    name="validation accuracy",
    direction="maximize",
    part="valid",
    score="accuracy",
    tie="log_loss",
    shown={"valid": _OF_CLASSIFIERS, "reconstruction.intact": _OF_DECODERS},
    words=("test=false",),
)
_BEST_DECODER = Goal(
    name="validation reconstruction error",
    direction="minimize",
    part="reconstruction.intact",
    score="mse",
    tie="",
    shown={"reconstruction.intact": _OF_DECODERS},
    words=(),
)
GOALS = {"run": _BEST_CLASSIFIER, "pretrain": _BEST_DECODER, "classify": _BEST_CLASSIFIER}
"""The commands that can be searched, and what for."""
