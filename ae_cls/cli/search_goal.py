"""What the trials of a search are compared by: always something of the validation images."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from ae_cls.cli.search_study import Direction
from ae_cls.cli.sweep_record import Record

Metrics = Mapping[str, Any]
"""What `metrics.json` holds."""


@final
@dataclass(frozen=True)
class Goal:
    """What a command's search is after.

    Attributes:
        name: for the user.
        direction: of the score.
        words: what every trial is told besides, as Hydra wants it.
        score: what Optuna gets.
        rank: sorts trials, the best first; the second number decides ties.
        kept: of the metrics, what the table and the rank need.
    """

    name: str
    direction: Direction
    words: tuple[str, ...]
    score: Callable[[Metrics], float]
    rank: Callable[[Metrics], tuple[float, float]]
    kept: Callable[[Metrics], Metrics]

    def order(self, record: Record) -> tuple[float, ...]:
        """The place in the table: jobs without results come last."""
        return (0.0, *self.rank(record.metrics)) if record.is_done else (1.0,)


def _accuracy(metrics: Metrics) -> float:
    return metrics["valid"]["accuracy"]


def _accuracy_rank(metrics: Metrics) -> tuple[float, float]:
    return -metrics["valid"]["accuracy"], metrics["valid"]["log_loss"]


def _of_validation(metrics: Metrics) -> Metrics:
    names = ("accuracy", "accuracy_ci95", "log_loss", "n")
    return {"valid": {name: metrics["valid"][name] for name in names}}


def _error(metrics: Metrics) -> float:
    # A control that does not decode has no error; it comes last.
    return metrics["reconstruction"]["mse"] if "reconstruction" in metrics else math.inf


def _error_rank(metrics: Metrics) -> tuple[float, float]:
    return _error(metrics), 0.0


def _of_reconstruction(metrics: Metrics) -> Metrics:
    return {name: metrics[name] for name in ("reconstruction",) if name in metrics}


_BEST_CLASSIFIER = Goal(
    name="validation accuracy",
    direction="maximize",
    words=("++test=false",),
    score=_accuracy,
    rank=_accuracy_rank,
    kept=_of_validation,
)
GOALS = {
    "run": _BEST_CLASSIFIER,
    "classify": _BEST_CLASSIFIER,
    "pretrain": Goal(
        name="validation reconstruction error",
        direction="minimize",
        words=(),
        score=_error,
        rank=_error_rank,
        kept=_of_reconstruction,
    ),
}
"""The commands that can be searched, and what for."""
