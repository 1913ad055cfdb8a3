"""The classifier in closed form, against fits that really leave rows out."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from ae_cls.evaluate.ridge import left_out, ridge_accuracy

PENALTIES = np.array([0.01, 1.0, 300.0])


def drawn(rows: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(rows)
    table = rng.normal(size=(rows, features)) * rng.uniform(0.1, 3, features)
    return table - table.mean(axis=0), rng.integers(0, 3, rows)


def by_loop(table: np.ndarray, targets: np.ndarray, units: np.ndarray, penalty: float):
    answers = np.empty_like(targets)
    for unit in np.unique(units):
        out = units == unit
        answers[out] = (
            Ridge(penalty, solver="svd").fit(table[~out], targets[~out]).predict(table[out])
        )
    return answers


@pytest.mark.parametrize("features", [5, 29, 30, 80])
@pytest.mark.parametrize("together", [1, 3])
def test_closed_form_equals_a_loop(features, together):
    table, labels = drawn(30, features)
    targets, units = np.eye(3)[labels], np.arange(30) // together
    for penalty, found in zip(PENALTIES, left_out(table, targets, units, PENALTIES), strict=True):
        expected = by_loop(table, targets, units, float(penalty))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)


def test_classes_that_differ_are_told_apart_and_noise_is_not():
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    noise = rng.normal(size=(90, 200)).astype(np.float32)
    assert ridge_accuracy(noise + 3 * np.eye(3)[labels] @ noise[:3], labels, np.arange(90)) > 0.95
    assert ridge_accuracy(noise, labels, np.arange(90)) < 0.5


def test_a_copy_of_an_image_does_not_tell_its_class():
    rng = np.random.default_rng(1)
    table, labels = rng.normal(size=(40, 60)), rng.integers(0, 2, 40)
    twice, classes = np.repeat(table, 2, axis=0), np.repeat(labels, 2)
    assert ridge_accuracy(twice, classes, np.arange(80)) > 0.9
    together = ridge_accuracy(twice, classes, np.arange(80) // 2)
    assert together == pytest.approx(ridge_accuracy(table, labels, np.arange(40)), abs=0.1)
    assert together < 0.75


def test_scale_and_features_that_do_not_differ_change_nothing():
    table, labels = drawn(40, 6)
    accuracy = ridge_accuracy(table, labels, np.arange(40))
    scaled = np.concatenate([table * 100 + 7, np.full((40, 2), 0.3)], axis=1)
    assert ridge_accuracy(scaled, labels, np.arange(40)) == pytest.approx(accuracy, abs=0.03)
