"""Few rows of many features: the same linear model, found among fewer numbers."""

import numpy as np
import pytest

from ae_cls.head import row_space
from ae_cls.head.axes import Axes, axes_of
from ae_cls.head.descent import Descent
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import Pool
from ae_cls.head.linear_loss import LOG_LOSS, SQUARED_HINGE
from ae_cls.head.row_space import Space
from ae_cls.head.standardise import Standardiser
from tests.head.heads import blobs


@pytest.mark.parametrize("loss", [LOG_LOSS, SQUARED_HINGE])
@pytest.mark.parametrize("C", [0.001, 1.0])
def test_the_minimum_is_the_one_among_all_features(loss, C: float) -> None:
    train = blobs(24, 3, width=60)
    standardiser = Standardiser.fit(train.features)

    def minimum(table, own: Standardiser, axes: Axes):
        descent = Descent(
            features=table, standardiser=own, labels=train.labels, class_count=3,
            class_weights=None, loss=loss, curvature=0.1, axes=axes, tolerance=1e-12,
            max_steps=5000,
        )  # fmt: skip
        return descent.run(C, descent.start())

    space = Space.of(train.features, standardiser)
    assert space.table.shape[1] < 24
    quick = space.to_features(minimum(space.table, space.standardiser, space.axes))
    whole = minimum(train.features, standardiser, axes_of(train.features, standardiser))
    assert np.abs(quick.weight - whole.weight).max() < 1e-3 * np.abs(whole.weight).max()
    shift = quick.bias - whole.bias  # a common shift of the bias changes nothing of the log loss
    assert np.abs(shift - shift.mean()).max() < 1e-3


def test_more_rows_than_features_are_taken_as_they_are() -> None:
    train = blobs(30, 3, width=8)
    standardiser = Standardiser.fit(train.features)
    space = Space.of(train.features, standardiser)
    assert np.array_equal(space.table, standardiser.apply(train.features))
    assert space.vectors is None and not space.standardiser.changes


def test_large_features_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_space, "_LARGEST_COPY", 100)
    train = blobs(30, 3, width=8)
    standardiser = Standardiser.fit(train.features)
    space = Space.of(train.features, standardiser)
    assert space.table is train.features and space.standardiser is standardiser


def test_rows_that_are_all_equal_leave_nothing_to_see_and_do_not_fail() -> None:
    features = np.ones((5, 9), np.float32)
    space = Space.of(features, Standardiser.fit(features))
    assert len(space.table) == 5 and np.isfinite(space.table).all()


@pytest.mark.parametrize(("count", "width"), [(40, 6), (40, 90)])
def test_folds_share_the_space_of_the_whole_and_find_nearly_its_minimum(count, width) -> None:
    train = blobs(count, 3, width=width)
    pool, none = Pool.of(train.features, np.arange(count)), train.rows(np.zeros(0, np.int64))
    task = FeatureTask(train, none, 3, "accuracy", 0, False, pool)
    fold = task.fold(np.arange(0, count, 5))
    shared, own = Space.of_task(fold), Space.of(fold.train.features, task_standardiser(task))
    assert shared.of_features is Space.of_task(task).of_features
    scores = []
    for space in (shared, own):
        descent = Descent(
            features=space.table, standardiser=space.standardiser, labels=fold.train.labels,
            class_count=3, class_weights=None, loss=LOG_LOSS, curvature=0.1, axes=space.axes,
            tolerance=1e-12, max_steps=5000,
        )  # fmt: skip
        model = space.to_features(descent.run(0.1, descent.start()))
        rows = space.of_features.apply(train.features)
        scores.append(rows @ model.weight.T + model.bias)
    apart = scores[0] - scores[1]
    assert np.abs(apart - apart.mean(axis=1, keepdims=True)).max() < 1e-2


def task_standardiser(task: FeatureTask) -> Standardiser:
    return Standardiser.fit(task.train.features)
