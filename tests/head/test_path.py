"""Where each descent of a row of strengths starts."""

import numpy as np
import pytest

from ae_cls.head import warm_start as path
from ae_cls.head.descent import Axes, Descent, Line, log_loss
from ae_cls.head.standardise import Standardiser
from ae_cls.head.warm_start import along
from tests.head.heads import digits


def descent_on_digits() -> Descent:
    train = digits()[0]
    standardiser = Standardiser.fit(train.features)
    return Descent(
        features=train.features,
        standardiser=standardiser,
        labels=train.labels,
        class_count=10,
        loss=log_loss,
        curvature=0.02,
        axes=Axes.of(train.features, standardiser),
        tolerance=1e-6,
        max_steps=500,
    )


def line(number: float) -> Line:
    weight = np.full((10, 64), number, np.float32)
    return Line(weight, np.full(10, -number, np.float32), converged=True, steps=1)


@pytest.mark.parametrize(
    ("strength", "expected"),
    [
        (1.0, 8.0),  # 5 + (5 - 2): as far again
        (10.0**-0.5, 6.5),
        (0.01, 2.0),  # back to the first
        (0.1, 5.0),
        (1e6, 8.0),  # no further than the last step
        (1e-9, 2.0),
    ],
)
def test_a_start_lies_on_the_line_of_the_last_two(strength: float, expected: float) -> None:
    earlier = [(7.0, line(99)), (0.01, line(2)), (0.1, line(5))]
    start = path._start(descent_on_digits(), strength, earlier)
    assert np.allclose(start.weight, expected) and np.allclose(start.bias, -expected)


def test_without_two_different_strengths_the_last_is_the_start() -> None:
    descent = descent_on_digits()
    assert not path._start(descent, 1.0, []).weight.any()
    assert path._start(descent, 1.0, [(0.1, line(5))]).weight[0, 0] == 5
    assert path._start(descent, 1.0, [(0.1, line(4)), (0.1, line(5))]).weight[0, 0] == 5


def test_the_line_saves_steps() -> None:
    descent, strengths = descent_on_digits(), (0.001, 0.01, 0.1, 1.0, 10.0)
    found = list(along(descent, strengths))
    assert tuple(strength for strength, _ in found) == strengths
    from_last = [found[1][1]]
    for strength in strengths[2:]:
        from_last.append(descent.run(strength, from_last[-1]))
    with_line = sum(line.steps for _, line in found[2:])
    assert with_line < 0.9 * sum(line.steps for line in from_last[1:])
