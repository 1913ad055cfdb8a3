"""The choice of a head's settings on the validation rows, the same for every head."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar, final

import numpy as np
from jaxtyping import Float64, Int64
from tqdm import tqdm

from ae_cls.errors import TrainingError, UsageError
from ae_cls.head.fitted import Fact, Labelled, Labels, Probabilities

log = logging.getLogger(__name__)

Fitted = TypeVar("Fitted")

Classes = Int64[np.ndarray, " s"]
"""Class indices that were seen, rising."""


@final
@dataclass(frozen=True)
class Trial(Generic[Fitted]):
    """One setting, fitted.

    Attributes:
        setting: what was tried, by the names of the config.
        fitted: what came of it.
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
    """The best trial, and what is told of all."""

    fitted: Fitted
    facts: dict[str, Fact]


def choose(
    trials: Iterable[Trial[Fitted]], valid: Labels, *, head: str, count: int, progress: bool
) -> Choice[Fitted]:
    """The trial with the best validation accuracy, then the lower log loss, then the first.

    Args:
        trials: made one at a time; only the best is kept.
        valid: class index of each validation row.
        head: its name on the progress bar.
        count: how many trials will come.
        progress: whether a bar is drawn at a terminal.

    Raises:
        TrainingError: a trial gives probabilities that are not finite.
    """
    best: tuple[tuple[float, float], Trial[Fitted]] | None = None
    scored: list[Fact] = []
    for trial in tqdm(
        trials, total=count, desc=head, unit="setting", leave=False,
        disable=None if progress else True,
    ):  # fmt: skip
        _refuse_broken(trial, head)
        accuracy, loss = score(trial.valid_probabilities, valid)
        row = {**trial.setting, "valid_accuracy": accuracy, "valid_log_loss": loss}
        words = ", ".join(f"{name} {value}" for name, value in trial.setting.items())
        log.info("%s: %s: valid accuracy %.4f, log loss %.4f", head, words, accuracy, loss)
        scored.append(row)
        if best is None or (accuracy, -loss) > best[0]:
            best = (accuracy, -loss), trial
    assert best is not None, "a head tries at least one setting"
    chosen = best[1]
    return Choice(chosen.fitted, {"chosen": chosen.setting, **chosen.facts, "trials": scored})


def _refuse_broken(trial: Trial[Fitted], head: str) -> None:
    if not np.isfinite(trial.valid_probabilities).all():
        raise TrainingError(
            f"the head {head} gives probabilities that are not finite",
            where=", ".join(f"head.{name}={value}" for name, value in trial.setting.items()),
            fix="leave this value out",
        )


def score(probabilities: Probabilities, labels: Labels) -> tuple[float, float]:
    """Accuracy, and mean log loss in nats; a probability of 0 counts as the least above it."""
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    right = probabilities[np.arange(len(labels)), labels]
    least = np.finfo(np.float64).eps  # as scikit-learn's log_loss
    return accuracy, float(-np.log(np.maximum(right, least)).mean())


def seen_classes(train: Labelled, valid: Labelled) -> Classes:
    """The class indices that have a labelled row, in order.

    Raises:
        UsageError: there is one class only, or nothing to choose settings on.
        TrainingError: features are not finite.
    """
    classes = np.unique(train.labels)
    if len(classes) < 2:
        raise UsageError(
            "a head needs labels of at least two classes",
            where=f"{len(train.labels)} labelled rows, of {len(classes)} class",
            fix="give more labels, for example labels.per_class=10",
        )
    if not len(valid.labels):
        raise UsageError(
            "there are no validation rows to choose the head's settings on",
            fix="keep some back, for example split.valid_fraction=0.1",
        )
    for part in (train, valid):
        _refuse_non_finite(part)
    return classes


def _refuse_non_finite(part: Labelled) -> None:
    # One infinite or undefined number makes its column's sum so: no table of flags is made.
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(~np.isfinite(part.features.sum(axis=0, dtype=np.float64)))
    if len(wrong):
        raise TrainingError(
            "the encoder gave features that are not finite",
            where=f"{len(wrong)} of {part.features.shape[1]} columns, the first is {wrong[0]}",
            fix="pretrain again with a lower learning rate, or with precision=fp32",
        )


def spread(
    probabilities: Float64[np.ndarray, "n s"], classes: Classes, class_count: int
) -> Probabilities:
    """One column a class; those that were never seen have probability 0."""
    every = np.zeros((len(probabilities), class_count))
    every[:, classes] = probabilities
    return every
