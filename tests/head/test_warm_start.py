"""Where each descent of a regularisation path starts."""

from dataclasses import replace

import numpy as np
import pytest

from ae_cls.head import descent as room
from ae_cls.head import warm_start
from ae_cls.head.axes import axes_of
from ae_cls.head.descent import Descent, LinearModel
from ae_cls.head.linear_loss import LOG_LOSS, SQUARED_HINGE, Loss
from ae_cls.head.standardise import Standardiser
from ae_cls.head.warm_start import regularisation_path
from tests.head.heads import digits


def descent_on_digits() -> Descent:
    train = digits()[0]
    standardiser = Standardiser.fit(train.features)
    return Descent(
        features=train.features,
        standardiser=standardiser,
        labels=train.labels,
        class_count=10,
        class_weights=None,
        loss=LOG_LOSS,
        curvature=0.02,
        axes=axes_of(train.features, standardiser),
        tolerance=1e-6,
        max_steps=500,
    )


def model(number: float) -> LinearModel:
    weight = np.full((10, 64), number, np.float32)
    return LinearModel(weight, np.full(10, -number, np.float32), converged=True, steps=1)


@pytest.mark.parametrize(
    ("C", "expected"),
    [
        (1.0, 8.0),  # 5 + (5 - 2): as far again
        (10.0**-0.5, 6.5),
        (0.01, 2.0),  # back to the first
        (0.1, 5.0),
        (1e6, 8.0),  # no further than the last step
        (1e-9, 2.0),
    ],
)
def test_a_start_lies_on_the_line_of_the_last_two(C: float, expected: float) -> None:
    earlier = [(7.0, model(99)), (0.01, model(2)), (0.1, model(5))]
    start = warm_start._start(C, earlier)
    assert np.allclose(start.weight, expected) and np.allclose(start.bias, -expected)


def test_without_two_different_values_the_last_is_the_start() -> None:
    assert warm_start._start(1.0, [(0.1, model(5))]).weight[0, 0] == 5
    assert warm_start._start(1.0, [(0.1, model(4)), (0.1, model(5))]).weight[0, 0] == 5


def test_the_line_saves_steps() -> None:
    descent, values = descent_on_digits(), (0.001, 0.01, 0.1, 1.0, 10.0)
    models = list(regularisation_path(descent, values, descent.start()))
    assert tuple(C for C, _ in models) == values
    from_last = [models[1][1]]
    for C in values[2:]:
        from_last.append(descent.run(C, from_last[-1]))
    with_line = sum(model.steps for _, model in models[2:])
    assert with_line < 0.9 * sum(model.steps for model in from_last[1:])


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits are many rows, of which 300 are a part."""
    monkeypatch.setattr(room, "ENOUGH", 300)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("loss", [LOG_LOSS, SQUARED_HINGE], ids=["log", "hinge"])
@pytest.mark.parametrize("is_sorted", [False, True])
def test_of_many_rows_a_descent_may_begin_at_the_minimum_on_a_part(
    loss: Loss, is_sorted: bool
) -> None:
    rough = replace(descent_on_digits(), loss=loss, tolerance=1e-5)
    if is_sorted:
        order = np.argsort(rough.labels, kind="stable")
        rough = replace(rough, features=rough.features[order], labels=rough.labels[order])
    begun = rough.near_the_end(0.01)
    assert begun.weight.any() and begun.converged
    assert rough.run(0.01, begun).steps < rough.run(0.01, rough.start()).steps
    exact = replace(rough, tolerance=1e-9)
    from_part, from_zero = exact.run(0.01, begun), exact.run(0.01, exact.start())
    assert np.abs(from_part.weight - from_zero.weight).max() < 1e-3
    shift = from_part.bias - from_zero.bias  # a common shift changes nothing of the log loss
    assert np.abs(shift - shift.mean()).max() < 1e-3


@pytest.mark.usefixtures("few")
def test_a_minimum_that_is_near_needs_fewer_steps_of_the_part() -> None:
    begun = descent_on_digits().near_the_end(0.01)
    again = descent_on_digits().near_the_end(0.01, begun)
    assert again.steps < begun.steps / 4
    assert np.abs(again.weight - begun.weight).max() < 1e-2


@pytest.mark.usefixtures("few")
def test_the_part_is_the_same_each_time() -> None:
    first, second = (descent_on_digits().near_the_end(0.1) for _ in range(2))
    assert first.weight.tobytes() == second.weight.tobytes()


@pytest.mark.usefixtures("few")
def test_a_part_stands_for_all_rows() -> None:
    """Where it is a copy of each of them, its minimum is that of all."""
    one = replace(descent_on_digits(), tolerance=1e-12, max_steps=5000)
    twice = replace(
        one, features=np.tile(one.features, (2, 1)), labels=np.tile(one.labels, 2),
        axes=axes_of(np.tile(one.features, (2, 1)), one.standardiser),
    )  # fmt: skip
    half = replace(one, axes=twice.axes, in_all=len(twice.labels))
    whole, part = (each.run(0.01, each.start()) for each in (twice, half))
    assert np.abs(whole.weight - part.weight).max() < 1e-3


def test_of_few_rows_it_begins_at_zero() -> None:
    assert not descent_on_digits().near_the_end(0.1).weight.any()
