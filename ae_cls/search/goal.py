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
        part: of the metrics, which has the score.
        score: name of the number that Optuna gets.
        tie: name of the number whose least decides among equals; empty: the first trial wins.
        shown: names of the numbers that the table needs.
        words: that every trial has besides.
    """

    name: str
    direction: Direction
    part: str
    score: str
    tie: str
    shown: tuple[str, ...]
    words: tuple[str, ...]

    def following(self, plain: Mapping[str, Any]) -> "Goal":
        """After the measure by which these composed values choose a head, where they have one."""
        if "labels" not in plain:
            return self
        measure: Measure = plain["labels"]["choose_by"]
        shown = tuple(dict.fromkeys((*self.shown, measure)))
        return replace(
            self, name=f"validation {MEASURE_NAMES[measure]}", score=measure, shown=shown
        )

    def score_of(self, metrics: Metrics) -> float:
        """What Optuna gets; the worst where a control has nothing to show (hog does not decode)."""
        return metrics[self.part][self.score] if self.part in metrics else math.inf

    def rank(self, metrics: Metrics) -> tuple[float, float]:
        """Sorts trials, the best first."""
        score = self.score_of(metrics)
        best_first = -score if self.direction == "maximize" else score
        return best_first, metrics[self.part][self.tie] if self.tie else 0.0

    def kept(self, metrics: Metrics) -> dict[str, Any]:
        """Of the metrics, what the table and the rank need."""
        if self.part not in metrics:
            return {}
        kept = {self.part: {name: metrics[self.part][name] for name in self.shown}}
        # The table has a column for the measure by which heads were chosen.
        chosen_by = {"chosen_by": metrics["head"]["chosen_by"]} if "head" in metrics else {}
        # Another says how many labels were read before the test.
        labels = metrics.get("protocol", {}).get("labels")
        return {**kept, "head": chosen_by, "protocol": {"labels": labels}}

    def order(self, record: Record) -> tuple[float, ...]:
        """The place in the table: jobs without results come last."""
        return (0.0, *self.rank(record.metrics)) if record.is_done else (1.0,)


_BEST_CLASSIFIER = Goal(
    name="validation accuracy",
    direction="maximize",
    part="valid",
    score="accuracy",
    tie="log_loss",
    shown=("accuracy", "accuracy_ci95", "log_loss", "n"),
    words=("test=false",),
)
_BEST_DECODER = Goal(
    name="validation reconstruction error",
    direction="minimize",
    part="reconstruction",
    score="mse",
    tie="",
    shown=("mse", "psnr"),
    words=(),
)
GOALS = {"run": _BEST_CLASSIFIER, "pretrain": _BEST_DECODER, "classify": _BEST_CLASSIFIER}
"""The commands that can be searched, and what for."""
