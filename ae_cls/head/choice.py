"""The choice of a head's settings on rows that it was not fitted on, the same for every head."""

import logging
from dataclasses import dataclass, field
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

Setting = dict[str, Fact]
"""Values to choose, by the names of the config."""


@final
@dataclass(frozen=True)
class Trial:
    """One setting, fitted.

    Attributes:
        setting: what was tried.
        head: fitted with it.
        probabilities: of the rows held out, one column a class.
        facts: what else fitting saw, such as `converged`.
    """

    setting: Setting
    head: FittedHead
    probabilities: Probabilities
    facts: dict[str, Fact] = field(default_factory=dict)


@final
class Choice:
    """The setting with the best measure, then the lower log loss, then the first, of those offered.

    Args:
        name: of the head in the config.
        labels: class index of each row that settings are judged by.
        by: what is best.
        on: the rows, as facts and messages name them.
        prefix: of the scores in the facts.
        aloud: whether each score is worth a line at the terminal; else it is one of the run's log.

    Attributes:
        worse_since: settings offered since the best one.
    """

    def __init__(
        self, *, name: str, labels: Labels, by: Measure, on: str, prefix: str, aloud: bool
    ) -> None:
        self.level = logging.INFO if aloud else logging.DEBUG
        self.name, self.labels, self.on, self.prefix = name, labels, on, prefix
        self.by: Measure = by
        self.best: tuple[tuple[float, float], Setting] | None = None
        self.rows: list[Fact] = []
        self.worse_since = 0

    def offer(self, setting: Setting, probabilities: Probabilities) -> bool:
        """Whether it is the best so far.

        Raises:
            TrainingError: the probabilities are not finite.
        """
        _refuse_broken(self.name, setting, probabilities)
        reached, loss = score(probabilities, self.labels, self.by)
        log.log(
            self.level, "%s: %s: %s %.4f, log loss %.4f on %s",
            self.name, in_words(setting), MEASURE_NAMES[self.by], reached, loss, self.on,
        )  # fmt: skip
        scores = {f"{self.prefix}_{self.by}": reached, f"{self.prefix}_log_loss": loss}
        self.rows.append({**setting, **scores})
        is_best = self.best is None or (reached, -loss) > self.best[0]
        self.worse_since = 0 if is_best else self.worse_since + 1
        if is_best:
            self.best = (reached, -loss), setting
        return is_best

    @property
    def chosen(self) -> Setting:
        assert self.best is not None, "a head tries at least one setting"
        return self.best[1]

    def facts(self) -> dict[str, Fact]:
        """What was chosen, by what, on what, and the scores of all that was tried."""
        return {
            "chosen": self.chosen, "chosen_by": self.by, "chosen_on": self.on, "trials": self.rows,
        }  # fmt: skip


def in_words(setting: Setting) -> str:
    """The setting as messages name it."""
    return ", ".join(f"{key} {value}" for key, value in setting.items()) or "nothing to choose"


def _refuse_broken(name: str, setting: Setting, probabilities: Probabilities) -> None:
    if not np.isfinite(probabilities).all():
        raise TrainingError(
            f"the head {name} gives probabilities that are not finite",
            where=", ".join(f"head.{key}={value}" for key, value in setting.items()),
            fix="leave this value out",
        )


def score(probabilities: Probabilities, labels: Labels, by: Measure) -> tuple[float, float]:
    """The measure of the most probable classes, and mean log loss in nats."""
    answers, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    return measured(by, confusion_matrix(labels, answers, classes)), log_loss(probabilities, labels)
