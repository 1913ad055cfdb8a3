"""A small set judged by repeated folds: a test part of a few images says next to nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float64, Int64

from ae_cls.dataset.contract import Rows
from ae_cls.dataset.folds import stratified_folds
from ae_cls.dataset.labels import draw_labelled
from ae_cls.draws import derive_seed
from ae_cls.errors import UsageError
from ae_cls.evaluate.interval import wilson_interval
from ae_cls.evaluate.metrics import evaluate
from ae_cls.evaluate.resampled import corrected_interval
from ae_cls.experiment.descriptions import Experiment
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.fitted import Features, Labelled, Pool, Probabilities
from ae_cls.run.data import Data

FEWEST_TEST_IMAGES = 100
"""Below this the interval of a test accuracy near one half is wider than 10 points either way."""

MOST_IMAGES = 1000
"""Labelled images above which a class that the test part lacks is only warned of."""

FOLDS = 5
_MOST_REPEATS = 5
_ANSWERS = 1000  # enough of them, so that larger sets are repeated less often

INTERVAL = (
    "95 %, of classifiers from as many labels as a fold leaves: corrected resampled variance "
    "(Nadeau & Bengio 2003), which allows for training parts that overlap; no narrower than the "
    "Wilson interval of as many independent images"
)


def is_small(experiment: Experiment, data: Data) -> bool:
    """Whether the test part is ours, is to be read, and is too small to judge by.

    A test part that is one fold of `split.folds` is judged together with the other folds.
    """
    if experiment.split.folds is not None:
        return False
    labels = data.dataset.labels_of(data.split.test)
    counts = np.bincount(labels, minlength=len(data.dataset.class_names))
    few = len(labels) < FEWEST_TEST_IMAGES
    lacking = len(_all_labelled(data)) <= MOST_IMAGES and bool((counts < 2).any())
    return experiment.test and not len(data.dataset.test) and (few or lacking)


def repeated_folds(
    experiment: Experiment, data: Data, features_of: Callable[[Rows], Features]
) -> dict[str, Any]:
    """What metrics.json says of the head on all labelled images, some held back by each fold.

    Settings are chosen anew within what each fold leaves; a label budget is drawn from it. The
    encoder is the one of the run. Where it cannot be done, `left_out` says why.

    Args:
        experiment: with the head.
        data: of the run.
        features_of: of rows that have a label, by the pretrained encoder.
    """
    if not isinstance(experiment.head, FeatureHeadConfig):
        return {"left_out": f"head={experiment.head.name} trains the encoder, anew in each fold"}
    rows = _all_labelled(data)
    repeats = min(experiment.head.fold_repeats, _MOST_REPEATS, max(1, _ANSWERS // len(rows)))
    table = _Table(
        experiment,
        experiment.head,
        Labelled(features_of(rows), data.dataset.labels_of(rows)),
        np.unique(data.dataset.bonds[rows], return_inverse=True)[1],
        data.dataset.class_names,
    )
    try:
        by_repeat = [list(table.answers(repeat)) for repeat in range(repeats)]
    except UsageError as error:
        return {"left_out": f"{error.what}: {error.why}" if error.why else error.what}
    if not by_repeat[0]:
        return {"left_out": "fewer than two classes have two images that are no copies"}
    return {
        "folds": len(by_repeat[0]),
        "repeats": repeats,
        **_pooled(table, [answer for answers in by_repeat for answer in answers]),
        "encoder_saw": int(np.isin(rows, data.split.pretrain).sum()),
    }


def _all_labelled(data: Data) -> Rows:
    split = data.split
    return np.sort(np.concatenate([split.train, split.valid, split.test]))


@final
@dataclass(frozen=True)
class _Answer:
    """What one fold says: of which positions, and from how many labels."""

    held: Int64[np.ndarray, " h"]
    probabilities: Probabilities
    fitted_on: int


@final
@dataclass(frozen=True)
class _Table:
    """All labelled rows, and how a head learns from some of them."""

    experiment: Experiment
    head: FeatureHeadConfig
    labelled: Labelled
    units: Rows
    class_names: tuple[str, ...]

    def answers(self, repeat: int) -> Iterator[_Answer]:
        """One of each fold of one division of the rows."""
        seed = derive_seed(self.experiment.seed, "repeated folds", repeat)
        folds = stratified_folds(
            self.labelled.labels, self.units, most=FOLDS, seed=seed, purpose="test"
        )
        for number, held in enumerate(folds):
            left = np.delete(np.arange(len(self.labelled.labels)), held)
            fitted_on = self._shown(left, derive_seed(seed, number))
            pool = Pool.of(self.labelled.features[left], np.searchsorted(left, fitted_on))
            head = self.head.fit_within(
                self.labelled.rows(fitted_on), self.units[fitted_on],
                class_count=len(self.class_names), choose_by=self.experiment.labels.choose_by,
                seed=self.experiment.seed, progress=False, pool=pool,
            )  # fmt: skip
            probabilities = head.predict_proba(self.labelled.features[held])
            yield _Answer(held, probabilities, len(fitted_on))

    def _shown(self, left: Rows, seed: int) -> Rows:
        """The rows to learn from: of those not held back, as many as the budget allows."""
        seen, classes = np.unique(self.labelled.labels[left], return_inverse=True)
        names = tuple(self.class_names[index] for index in seen)
        return draw_labelled(left, classes, names, self.experiment.labels, seed)


def _pooled(table: _Table, answers: list[_Answer]) -> dict[str, Any]:
    """The answers of all folds together; each image is one, however often it was held back."""
    held = np.concatenate([answer.held for answer in answers])
    probabilities = np.concatenate([answer.probabilities for answer in answers])
    labels, units = table.labelled.labels, table.units
    pooled = evaluate(probabilities, labels[held], table.class_names, units[held])
    right = [
        float((answer.probabilities.argmax(axis=1) == labels[answer.held]).mean())
        for answer in answers
    ]
    fitted_on = float(np.mean([answer.fitted_on for answer in answers]))
    judged = np.bincount(labels[np.unique(held)], minlength=len(table.class_names))
    names = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece")
    return {
        **{name: pooled[name] for name in names},
        "accuracy_ci95": _interval(
            np.array(right), fitted_on, len(held) / len(answers), pooled["independent"]
        ),
        "interval": INTERVAL,
        "accuracies": right,
        "labels_in_a_fit": fitted_on,
        "n": len(np.unique(held)),
        "independent": pooled["independent"],
        "recall": {name: one["recall"] for name, one in pooled["per_class"].items()},
        "never_judged": [
            name for name, count in zip(table.class_names, judged, strict=True) if count == 0
        ],
    }


def _interval(
    accuracies: Float64[np.ndarray, " j"], fitted_on: float, held: float, independent: int
) -> list[float]:
    mean = float(accuracies.mean())
    ends = corrected_interval(accuracies, fitted_on, held)
    of_images = wilson_interval(mean * independent, independent)
    return [max(0.0, min(ends[0], of_images[0])), min(1.0, max(ends[1], of_images[1]))]
