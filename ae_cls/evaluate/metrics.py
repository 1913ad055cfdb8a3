"""The metrics of one split: everything a run folder says about a classifier's answers."""

from collections.abc import Callable, Mapping
from typing import Literal, TypedDict

import numpy as np
from jaxtyping import Float64, Int64

from ae_cls.evaluate.interval import wilson_interval

Probabilities = Float64[np.ndarray, "n k"]
Labels = Int64[np.ndarray, " n"]
Confusion = Int64[np.ndarray, "k k"]

SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)
"""2.2e-16, as in scikit-learn: one sure mistake costs 36 nats in the log loss, not infinity."""

Measure = Literal["accuracy", "balanced_accuracy", "macro_f1"]
"""A number in [0, 1] by which settings may be chosen, as the user names it; the largest is best."""

MEASURE_NAMES: Mapping[Measure, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
}
"""Each measure as messages name it."""

CALIBRATION_BINS = 15
"""Bins of equal width over [0, 1], as in Guo et al. 2017."""


class ClassMetrics(TypedDict):
    """One class against all others; `None` where there is nothing to divide by."""

    precision: float | None
    recall: float | None
    recall_ci95: list[float] | None
    f1: float | None
    n: int


class Metrics(TypedDict):
    """What `metrics.json` holds for one split."""

    accuracy: float
    accuracy_ci95: list[float]
    balanced_accuracy: float
    macro_f1: float
    log_loss: float
    ece: float
    per_class: dict[str, ClassMetrics]
    confusion_matrix: list[list[int]]
    majority_rate: float
    n: int
    independent: int


def evaluate(
    probabilities: Probabilities,
    labels: Labels,
    class_names: tuple[str, ...],
    units: Labels | None = None,
) -> Metrics:
    """Metrics of one split as plain values that JSON can hold, without NaN.

    The answer is the most probable class; of equals, the first in class order. Accuracy and recall
    carry the 95 % Wilson interval, for as many independent answers as there are different `units`:
    the frames of one patient, or copies of one picture, say the same once more. That is the
    cautious end: answers within a unit may differ. `independent` is their number.

    A class without images in the split is left out of the balanced accuracy and the macro F1, also
    when it was predicted; its recall and F1 are `None`. Precision is `None` where a class was never
    predicted. `log_loss` is in nats and clips at `SMALLEST_PROBABILITY`, `ece` is
    `expected_calibration_error`, `majority_rate` is the share of the split's most frequent class,
    and row i of the confusion matrix holds the images of class i.
    """
    _check(probabilities, labels, class_names)
    confusion = confusion_matrix(labels, probabilities.argmax(axis=1), len(class_names))
    count, correct = len(labels), int(confusion.trace())
    units = np.arange(count) if units is None else units
    per_class = [
        _class_metrics(confusion, index, len(np.unique(units[labels == index])))
        for index in range(len(class_names))
    ]
    unit_count = len(np.unique(units))
    return {
        "accuracy": measured("accuracy", confusion),
        "accuracy_ci95": list(wilson_interval(correct * unit_count / count, unit_count)),
        "balanced_accuracy": measured("balanced_accuracy", confusion),
        "macro_f1": measured("macro_f1", confusion),
        "log_loss": log_loss(probabilities, labels),
        "ece": expected_calibration_error(probabilities, labels),
        "per_class": dict(zip(class_names, per_class, strict=True)),
        "confusion_matrix": confusion.tolist(),
        "majority_rate": int(confusion.sum(axis=1).max()) / count,
        "n": count,
        "independent": unit_count,
    }


def measured(measure: Measure, confusion: Confusion) -> float:
    """The measure of answers by their confusion matrix, in [0, 1]."""
    return _MEASURES[measure](confusion)


def confusion_matrix(labels: Labels, answers: Labels, classes: int) -> Confusion:
    """How many rows of each class got each answer: row i holds the rows of class i."""
    pairs = np.bincount(labels * classes + answers, minlength=classes**2)
    return pairs.reshape(classes, classes)


def log_loss(probabilities: Probabilities, labels: Labels) -> float:
    """Mean negative logarithm of the true class's probability, in nats."""
    of_truth = probabilities[np.arange(len(labels)), labels]
    # 0 less the mean, not its negative: certainty that is right costs 0.0, not -0.0.
    return float(0.0 - np.log(of_truth.clip(SMALLEST_PROBABILITY, 1.0)).mean())


def expected_calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """How far the probability of the answer is from the accuracy, in [0, 1] (Guo et al. 2017).

    The mean over images of |accuracy - mean probability| of the image's bin: `CALIBRATION_BINS`
    of equal width, each open below and closed above, by the probability of the top class alone.
    """
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    excess = np.bincount(
        np.digitize(confidence, edges, right=True), weights=(answers == labels) - confidence
    )
    return float(np.abs(excess).sum() / len(labels))


def _check(probabilities: Probabilities, labels: Labels, class_names: tuple[str, ...]) -> None:
    assert len(labels) > 0, "nothing to evaluate"
    assert probabilities.shape == (len(labels), len(class_names)), probabilities.shape
    assert len(set(class_names)) == len(class_names), "class names repeat"
    assert labels.min() >= 0 and labels.max() < len(class_names), "a label is not a class index"
    assert np.isfinite(probabilities).all(), "a probability is not finite"


def _accuracy(confusion: Confusion) -> float:
    return int(confusion.trace()) / int(confusion.sum())


def _balanced_accuracy(confusion: Confusion) -> float:
    return _mean_of_known([_recall(confusion, index) for index in range(len(confusion))])


def _macro_f1(confusion: Confusion) -> float:
    return _mean_of_known([_f1(confusion, index) for index in range(len(confusion))])


_MEASURES: Mapping[Measure, Callable[[Confusion], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "macro_f1": _macro_f1,
}


def _class_metrics(confusion: Confusion, index: int, units: int) -> ClassMetrics:
    hits = int(confusion[index, index])
    count, answered = int(confusion[index].sum()), int(confusion[:, index].sum())
    return {
        "precision": hits / answered if answered else None,
        "recall": _recall(confusion, index),
        "recall_ci95": list(wilson_interval(hits * units / count, units)) if count else None,
        "f1": _f1(confusion, index),
        "n": count,
    }


def _recall(confusion: Confusion, index: int) -> float | None:
    count = int(confusion[index].sum())
    return int(confusion[index, index]) / count if count else None


def _f1(confusion: Confusion, index: int) -> float | None:
    count, answered = int(confusion[index].sum()), int(confusion[:, index].sum())
    return 2 * int(confusion[index, index]) / (count + answered) if count else None


def _mean_of_known(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known)
