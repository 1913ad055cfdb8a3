"""It is scikit-learn's analysis where that is told the covariance of all classes."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ae_cls.head.fitted import Labelled
from ae_cls.head.standardise import Standardiser
from tests.head.heads import blobs, config, fit


class Given(BaseEstimator):
    """A covariance that is the same for each class."""

    def __init__(self, covariance_: np.ndarray) -> None:
        self.covariance_ = covariance_

    def fit(self, _: np.ndarray) -> "Given":
        return self


@pytest.mark.parametrize(("rows", "classes"), [(8, 4), (90, 2), (120, 4)])
def test_it_is_scikit_learn_with_the_covariance_of_all_classes(rows: int, classes: int) -> None:
    train, valid = blobs(rows, classes), blobs(40, classes, seed=1)
    standardiser = Standardiser.fit(train.features)
    table = standardiser.apply(train.features).astype(np.float64)
    means = np.stack([table[train.labels == label].mean(axis=0) for label in range(classes)])
    covariance, shrinkage = ledoit_wolf(table - means[train.labels], assume_centered=True)
    assert 0 < shrinkage < 1
    theirs = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Given(covariance))
    expected = theirs.fit(table, train.labels).predict_proba(standardiser.apply(valid.features))
    ours = fit(config("lda"), train, valid, classes).predict_proba(valid.features)
    assert np.abs(ours - expected).max() < 1e-4


def test_with_many_labels_it_is_scikit_learn_as_it_comes() -> None:
    train, valid = blobs(20_000), blobs(40, seed=1)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    theirs.fit(train.features.astype(np.float64), train.labels)
    ours = fit(config("lda"), train, valid, 4).predict_proba(valid.features)
    assert np.abs(ours - theirs.predict_proba(valid.features)).max() < 0.01


def test_weighed_rows_are_as_good_as_copies_of_them() -> None:
    """But for how far the covariance is shrunk, which copies would understate."""
    whole, valid = blobs(4000), blobs(40, seed=1)
    whole.features[whole.labels == 1, :4] *= 3  # so it matters how much of it is in the covariance
    kept = np.flatnonzero((whole.labels != 1) | (np.arange(4000) % 8 == 1))
    copies = np.repeat(kept, np.where(whole.labels[kept] == 1, 2, 1))
    rare, doubled = (whole.rows(rows) for rows in (kept, copies))
    answers = [
        fit(config("lda", class_weight=weight), part, valid, 4).predict_proba(valid.features)
        for weight, part in (("balanced", rare), (None, doubled), (None, rare))
    ]
    assert np.abs(answers[0] - answers[1]).max() < 0.02 < np.abs(answers[2] - answers[1]).max()


def test_with_one_label_a_class_the_nearest_one_answers() -> None:
    train, queries = blobs(4), blobs(40, seed=1).features
    standardiser = Standardiser.fit(train.features)
    points, labels = standardiser.apply(train.features), train.labels
    distances = np.square(standardiser.apply(queries)[:, None] - points).sum(axis=2)
    ours = fit(config("lda"), train, Labelled(queries, labels.repeat(10)), 4).predict_proba(queries)
    assert np.array_equal(ours.argmax(axis=1), labels[distances.argmin(axis=1)])
