"""Labels that look wrong: a quick classifier that never saw an image puts it elsewhere.

Northcutt, Jiang & Chuang 2021, Confident learning: estimating uncertainty in dataset labels,
doi:10.1613/jair.1.12125. The classifier is ridge regression on `Filters`, in closed form.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from torch import Tensor

from ae_cls.check.filters import Filters, draw_filters
from ae_cls.dataset.contract import ImageTable, Rows
from ae_cls.dataset.rows import ImageRows
from ae_cls.draws import generator
from ae_cls.machine.threads import eigenvectors
from ae_cls.terminal.progress import Progress

MOST_JUDGED = 100_000
"""Rows; of more than these some are drawn, so that memory and time stay bounded."""
FEWEST = 10
"""Pictures or groups that a class needs for its labels to be judged."""

_FOLDS = 5
_BATCH = 512  # images at a time
_PENALTIES = (0.001, 0.01, 0.1, 1.0)  # a row, features having a deviation of 1
# Cells along each side of the grid. Where a thing lies is worth knowing, but takes many images to
# learn: of few images all grids are tried.
_GRID, _GRIDS, _FEW = 4, (1, 2, 4), 10_000
_TEMPERATURES = np.geomspace(1, 30, 25)
_SURE = 0.9  # probability that is enough, where easy classes would ask for nearly 1
_WORST = 0.4  # of the errors of a guess: a classifier that makes more has no right to doubt labels


@final
@dataclass(frozen=True)
class Doubts:
    """What a quick classifier thinks of labels, on rows that it never saw.

    Attributes:
        rows: those whose label it does not believe, the least believed first: as many as the
            confident joint estimates to be wrong.
        predicted: the class that each looks like.
        probability: of that class.
        given: probability of the label.
        judged: how many rows were looked at.
        accuracy: share of these whose label it predicts.
        why_not: why some labels were not judged; empty where all were.
    """

    rows: Rows
    predicted: Rows
    probability: Float64[np.ndarray, " _"]
    given: Float64[np.ndarray, " _"]
    judged: int
    accuracy: float
    why_not: str


def doubts_of(
    images: ImageTable, rows: Rows, labels: Rows, units: Rows, class_count: int, seed: int
) -> Doubts:
    """Which labels look wrong.

    On Fashion-MNIST's 60 000 training images, 5 % of them under another class drawn at random, 96
    to 98 % of the first 500 were wrong; of 10 % under the next class 96 %. How many
    there are it says too high where classes are hard to tell apart: 4652 of 3000, and 2610 without
    any planted.

    Args:
        images: the whole table.
        rows: those with a label.
        labels: the class of each of these.
        units: number of the unit of each: copies of a picture, and rows of a group, are one.
        class_count: of the data set.
        seed: of the draws.
    """
    kept, why = _judged(labels, units, class_count)
    if len(kept) > MOST_JUDGED:
        kept = np.sort(kept[_order(len(kept), seed, "judged")[:MOST_JUDGED]])
        why.append(f"of {len(rows):,} labels {MOST_JUDGED:,} were drawn")
    rows, units = rows[kept], units[kept]
    classes, labels = np.unique(labels[kept], return_inverse=True)
    if len(classes) < 2:
        return _none("; ".join(why) or "there are not two classes")
    probabilities = _probabilities(ImageRows(images, rows), labels, units, seed)
    if probabilities is None:
        return _none("hardly any image shows anything")
    found = _least_believed(probabilities, labels)
    accuracy = float((probabilities.argmax(1) == labels).mean())
    if _is_poor(probabilities, labels):
        return _none(
            f"a quick classifier tells the classes apart too poorly ({100 * accuracy:.0f} % right)",
            len(rows), accuracy,
        )  # fmt: skip
    predicted = probabilities[found].argmax(1)
    return Doubts(
        rows[found],
        classes[predicted],
        probabilities[found, predicted],
        probabilities[found, labels[found]],
        len(rows),
        accuracy,
        "; ".join(why),
    )


def _none(why: str, judged: int = 0, accuracy: float = 0.0) -> Doubts:
    empty, nothing = np.zeros(0, np.int64), np.zeros(0)
    return Doubts(empty, empty, nothing, nothing, judged, accuracy, why)


def _judged(labels: Rows, units: Rows, class_count: int) -> tuple[Rows, list[str]]:
    """Places of labels whose class is in enough units to be known without some of them."""
    pairs = np.unique(np.stack([labels, units]), axis=1)
    enough = np.bincount(pairs[0], minlength=class_count) >= FEWEST
    left = np.setdiff1d(np.unique(labels), np.flatnonzero(enough))
    have = "has" if len(left) == 1 else "have"
    why = f"{len(left)} of {class_count} classes {have} fewer than {FEWEST} pictures or groups"
    return np.flatnonzero(enough[labels]), [why] if len(left) else []


def _folds(labels: Rows, units: Rows, seed: int) -> Rows:
    """The fold of each row: units stay whole, and classes are spread over all folds."""
    _, first, which = np.unique(units, return_index=True, return_inverse=True)
    drawn = _order(len(first), seed, "folds")
    by_class = drawn[np.argsort(labels[first][drawn], kind="stable")]
    folds = np.empty(len(first), np.int64)
    folds[by_class] = np.arange(len(first)) % _FOLDS
    return folds[which]


def _order(count: int, seed: int, purpose: str) -> Rows:
    return torch.randperm(count, generator=generator(seed, "check", purpose)).numpy()


def _probabilities(
    images: ImageRows, labels: Rows, units: Rows, seed: int
) -> Float64[np.ndarray, "n k"] | None:
    """Of each row, out of fold, with the grid that suits best; None where nothing can be seen."""
    folds, found = _folds(labels, units, seed), []
    for cells in _GRIDS if len(images) <= _FEW else (_GRID,):
        filters = draw_filters(images, cells, generator(seed, "check", "filters"))
        if filters is None:
            return None
        found.append(_out_of_fold(filters, images, labels, folds))
    return max(found, key=lambda one: one[0])[1]


def _out_of_fold(
    filters: Filters, images: ImageRows, labels: Rows, folds: Rows
) -> tuple[float, Float64[np.ndarray, "n k"]]:
    """Probabilities of each row by a classifier that was fitted without its fold.

    Before them the mean logarithm of those of the labels.
    """
    features = _in_few_numbers(torch.cat(list(_features(filters, images))))
    # The constant is the last feature.
    features = torch.cat([features, features.new_ones(len(features), 1)], 1)
    targets = torch.nn.functional.one_hot(torch.from_numpy(labels)).float()
    parts = [torch.from_numpy(np.flatnonzero(folds == fold)) for fold in range(_FOLDS)]
    grams = [_products(features[rows].float(), targets[rows]) for rows in parts]
    whole = torch.stack(grams).sum(0)
    found: list[tuple[float, Float64[np.ndarray, "n k"]]] = []
    for penalty in _PENALTIES:
        scores = torch.empty_like(targets)
        for rows, own in zip(parts, grams, strict=True):
            weights = _ridge(whole - own, features.shape[1], penalty * len(labels))
            scores[rows] = features[rows].float() @ weights
        found.append(_likeliest(scores.numpy(), labels))
    return max(found, key=lambda one: one[0])


def _features(filters: Filters, images: ImageRows) -> Iterator[Tensor]:
    """In half precision, which halves the memory and changes no answer."""
    with Progress("labels", total=len(images), unit="images") as progress:
        for batch in images.batches(_BATCH):
            yield filters.features(batch).half()
            progress.advance(len(batch))


def _in_few_numbers(features: Float[Tensor, "n _"]) -> Float[Tensor, "n _"]:
    """No more numbers an image than there are images: turned, which ridge regression never sees."""
    if len(features) >= features.shape[1]:
        return features
    squares, axes = eigenvectors(features.double() @ features.double().T)
    return (axes * squares.clamp_min(0).sqrt()).float()


def _products(
    features: Float[Tensor, "n d"], targets: Float[Tensor, "n k"]
) -> Float[Tensor, "d both"]:
    """Features by features and, beside them, features by targets: all that ridge needs."""
    return (features.T @ torch.cat([features, targets], 1)).double()


def _ridge(products: Float[Tensor, "d both"], size: int, penalty: float) -> Float[Tensor, "d k"]:
    gram = products[:, :size].clone()
    gram.diagonal()[:-1] += penalty  # not of the constant
    gram.diagonal()[-1] += 1e-6
    return torch.cholesky_solve(products[:, size:], torch.linalg.cholesky(gram)).float()


def _likeliest(
    scores: Float32[np.ndarray, "n k"], labels: Rows
) -> tuple[float, Float64[np.ndarray, "n k"]]:
    """Mean log probability of the labels at the best temperature, and all probabilities at it."""
    raised = scores.astype(np.float64) - scores.max(1, keepdims=True)
    own = np.arange(len(labels))

    def log_probability(temperature: float) -> float:
        values = temperature * raised
        return float((values[own, labels] - np.log(np.exp(values).sum(1))).mean())

    best = max(_TEMPERATURES, key=log_probability)
    powers = np.exp(best * raised)
    return log_probability(best), powers / powers.sum(1, keepdims=True)


def _least_believed(probabilities: Float64[np.ndarray, "n k"], labels: Rows) -> Rows:
    """Rows off the diagonal of the confident joint (equation 1), by the probability of the label.

    A row counts for a class if it has at least the probability that rows with that label have on
    average, or nine in ten; for the most probable of several.
    """
    own = probabilities[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    usual = np.bincount(labels, own, minlength=len(counts)) / counts
    confident = np.where(probabilities >= np.minimum(usual, _SURE), probabilities, -1.0)
    counted = confident.max(1) >= 0
    elsewhere = _differs(confident, labels) & _differs(probabilities, labels) & counted
    found = np.flatnonzero(elsewhere)
    return found[np.argsort(own[found], kind="stable")]


def _differs(values: Float64[np.ndarray, "n k"], labels: Rows) -> Bool[np.ndarray, " n"]:
    return values.argmax(1) != labels


def _is_poor(probabilities: Float64[np.ndarray, "n k"], labels: Rows) -> bool:
    """Whether the classifier, all classes counting alike, errs nearly as often as a guess."""
    right = probabilities.argmax(1) == labels
    counts: Int64[np.ndarray, " k"] = np.bincount(labels)
    recall = np.bincount(labels[right], minlength=len(counts)) / counts
    return bool(1 - recall.mean() > _WORST * (1 - 1 / len(counts)))
