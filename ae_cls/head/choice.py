"""The choice of a head's settings on the validation rows, the same for every head."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np

from ae_cls.errors import TrainingError
from ae_cls.evaluate.metrics import (
    MEASURE_NAMES,
    Measure,
    confusion_matrix,
    log_loss,
    measured,
)
from ae_cls.head.fitted import Fact, FittedHead, Labels, Probabilities

log = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class Trial:
    """One setting, fitted.

    Attributes:
        setting: what was tried, by the names of the config.
        head: fitted with it.
        valid_probabilities: of the validation rows, one column a class.
        facts: what else fitting saw, such as `converged`.
    """

    setting: dict[str, Fact]
    head: FittedHead
    valid_probabilities: Probabilities
    facts: dict[str, Fact] = field(default_factory=dict)


def choose(trials: Iterable[Trial], valid: Labels, *, by: Measure, name: str) -> FittedHead:
    """The head with the best measure on validation, then the lower log loss, then the first.

    Its facts are the setting chosen, what fitting it saw, and the scores of all trials.

    Args:
        trials: made one at a time; only the best is kept.
        valid: class index of each validation row.
        by: what is best.
        name: of the head in the config.

    Raises:
        TrainingError: a trial gives probabilities that are not finite.
    """
    best: tuple[tuple[float, float], Trial] | None = None
    rows: list[Fact] = []
    for trial in trials:
        _refuse_broken(trial, name)
        reached, loss = score(trial.valid_probabilities, valid, by)
        setting = ", ".join(f"{key} {value}" for key, value in trial.setting.items())
        log.info(
            "%s: %s: valid %s %.4f, log loss %.4f", name, setting, MEASURE_NAMES[by], reached, loss
        )
        rows.append({**trial.setting, f"valid_{by}": reached, "valid_log_loss": loss})
        if best is None or (reached, -loss) > best[0]:
            best = (reached, -loss), trial
    assert best is not None, "a head tries at least one setting"
    chosen = best[1]
    facts = {"chosen": chosen.setting, "chosen_by": by, **chosen.facts, "trials": rows}
    return replace(chosen.head, facts=facts)


def _refuse_broken(trial: Trial, name: str) -> None:
    if not np.isfinite(trial.valid_probabilities).all():
        raise TrainingError(
            f"the head {name} gives probabilities that are not finite",
            where=", ".join(f"head.{key}={value}" for key, value in trial.setting.items()),
            fix="leave this value out",
        )


def score(probabilities: Probabilities, labels: Labels, by: Measure) -> tuple[float, float]:
    """The measure of the most probable classes, and mean log loss in nats."""
    answers, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    return measured(by, confusion_matrix(labels, answers, classes)), log_loss(probabilities, labels)
