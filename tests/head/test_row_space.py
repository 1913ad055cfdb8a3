"""Few rows of many features: the same linear model, found among fewer numbers."""

import numpy as np
import pytest

from ae_cls.head.descent import Axes, Descent, log_loss, squared_hinge
from ae_cls.head.row_space import Space
from ae_cls.head.standardise import Standardiser
from tests.head.heads import blobs


@pytest.mark.parametrize("loss", [log_loss, squared_hinge])
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
    whole = minimum(train.features, standardiser, Axes.of(train.features, standardiser))
    assert np.abs(quick.weight - whole.weight).max() < 1e-3 * np.abs(whole.weight).max()
    shift = quick.bias - whole.bias  # a common shift of the bias changes nothing of the log loss
    assert np.abs(shift - shift.mean()).max() < 1e-3


def test_more_rows_than_features_are_taken_as_they_are() -> None:
    train = blobs(30, 3, width=8)
    standardiser = Standardiser.fit(train.features)
    space = Space.of(train.features, standardiser)
    assert space.table is train.features and space.standardiser is standardiser


def test_rows_that_are_all_equal_leave_nothing_to_see_and_do_not_fail() -> None:
    features = np.ones((5, 9), np.float32)
    space = Space.of(features, Standardiser.fit(features))
    assert len(space.table) == 5 and np.isfinite(space.table).all()
