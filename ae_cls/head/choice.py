"""The choice of a head's settings on the validation rows, the same for every head."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar, final

import numpy as np

from ae_cls.errors import TrainingError
from ae_cls.evaluate.metrics import log_loss
from ae_cls.head.fitted import Fact, Labels, Probabilities

log = logging.getLogger(__name__)

Fitted = TypeVar("Fitted", covariant=True)


@final
@dataclass(frozen=True)
class Trial(Generic[Fitted]):
    """One setting, fitted.

    Attributes:
        setting: what was tried, by the names of the config.
        fitted: the head that came of it.
        valid_probabilities: of the validation rows, one column a class.
        facts: what else fitting saw, such as `converged`.
    """

    setting: dict[str, Fact]
    fitted: Fitted
    valid_probabilities: Probabilities
    facts: dict[str, Fact] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Choice(Generic[Fitted]):
    """The best trial's head, and the facts of all trials."""

    fitted: Fitted
    facts: dict[str, Fact]


def choose(trials: Iterable[Trial[Fitted]], valid: Labels, *, head: str) -> Choice[Fitted]:
    """The trial with the best validation accuracy, then the lower log loss, then the first.

    Args:
        trials: made one at a time; only the best is kept.
        valid: class index of each validation row.
        head: its name in the config.

    Raises:
        TrainingError: a trial gives probabilities that are not finite.
    """
    best: tuple[tuple[float, float], Trial[Fitted]] | None = None
    rows: list[Fact] = []
    for trial in trials:
        _refuse_broken(trial, head)
        accuracy, loss = score(trial.valid_probabilities, valid)
        setting = ", ".join(f"{name} {value}" for name, value in trial.setting.items())
        log.info("%s: %s: valid accuracy %.4f, log loss %.4f", head, setting, accuracy, loss)
        rows.append({**trial.setting, "valid_accuracy": accuracy, "valid_log_loss": loss})
        if best is None or (accuracy, -loss) > best[0]:
            best = (accuracy, -loss), trial
    assert best is not None, "a head tries at least one setting"
    chosen = best[1]
    return Choice(chosen.fitted, {"chosen": chosen.setting, **chosen.facts, "trials": rows})


def _refuse_broken(trial: Trial[Fitted], head: str) -> None:
    if not np.isfinite(trial.valid_probabilities).all():
        raise TrainingError(
            f"the head {head} gives probabilities that are not finite",
            where=", ".join(f"head.{name}={value}" for name, value in trial.setting.items()),
            fix="leave this value out",
        )


def score(probabilities: Probabilities, labels: Labels) -> tuple[float, float]:
    """Accuracy, and mean log loss in nats."""
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    return accuracy, log_loss(probabilities, labels)
