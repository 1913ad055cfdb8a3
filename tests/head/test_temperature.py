"""How sure a head is allowed to be."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from ae_cls.head.temperature import at_temperature, fitted_temperature


@pytest.mark.parametrize("true", [0.2, 1.0, 5.0])
def test_the_temperature_of_drawn_labels_is_found(true: float) -> None:
    draws = np.random.default_rng(0)
    scores = draws.normal(size=(20_000, 3)) * 2 * true
    shares = softmax(scores / true, axis=1)
    labels = (draws.random((len(scores), 1)) > shares.cumsum(axis=1)).sum(axis=1)
    held = softmax(scores, axis=1)
    assert fitted_temperature(held, labels, None) == pytest.approx(true, rel=0.05)
    best = at_temperature(held, fitted_temperature(held, labels, None))
    for factor in np.geomspace(0.5, 2, 20):
        assert (
            log_loss(labels, best) <= log_loss(labels, at_temperature(held, true * factor)) + 1e-3
        )


@pytest.mark.parametrize("rows", [1, 10, 400])
@pytest.mark.parametrize("margin", [2.0, 20.0])
def test_rows_that_are_all_right_do_not_make_certain(rows: int, margin: float) -> None:
    labels = np.arange(rows) % 10
    held = softmax(margin * np.eye(10)[labels], axis=1)
    sure = at_temperature(held, fitted_temperature(held, labels, None)).max(axis=1)
    # No surer than one error more among the rows of the class would allow, give or take the usual.
    assert sure.max() < 1 - 0.5 / (np.bincount(labels).max() + 2) or rows == 1
    assert sure.max() < 1


def test_one_wrong_row_does_not_take_all_confidence() -> None:
    held = softmax(2 * np.eye(10)[:1], axis=1)
    assert fitted_temperature(held, np.array([3]), None) < 1


def test_without_rows_that_say_something_it_is_the_usual_one() -> None:
    nothing = fitted_temperature(np.zeros((0, 3)), np.zeros(0, np.int64), None)
    unseen = fitted_temperature(np.array([[0.4, 0.6, 0.0]]), np.array([2]), None)
    assert nothing == unseen == 0.3


def test_rows_of_heavy_classes_say_more() -> None:
    scores = np.array([[2.0, 0.0]] * 40 + [[2.0, 0.0]] * 10)
    labels = np.repeat([0, 1], [40, 10])  # the second class is always answered wrongly
    held = softmax(scores, axis=1)
    weighed = fitted_temperature(held, labels, np.array([0.2, 4.2]))
    assert weighed > fitted_temperature(held, labels, None)


def test_classes_that_are_impossible_stay_so() -> None:
    cooler = at_temperature(np.array([[0.9, 0.1, 0.0]]), 0.5)
    assert cooler == pytest.approx(np.array([[0.81, 0.01, 0.0]]) / 0.82)
    assert cooler[0, 2] == 0
