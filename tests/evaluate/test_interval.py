import numpy as np
import pytest

from ae_cls.evaluate.interval import wilson_interval


# Newcombe 1998, "Two-sided confidence intervals for the single proportion: comparison of seven
# methods", Statistics in Medicine 17, table I, method 3 (score without continuity correction).
@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval_matches_published_values(
    successes: int, count: int, low: float, high: float
) -> None:
    assert wilson_interval(successes, count) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("count", [1, 2, 10, 13, 10_000])
def test_interval_stays_within_0_and_1_and_touches_them_at_the_ends(count: int) -> None:
    low, high = wilson_interval(0, count)
    assert low == 0.0 and 0.0 < high < 1.0
    assert wilson_interval(count, count) == pytest.approx((1 - high, 1.0), abs=1e-12)
    assert wilson_interval(count, count)[1] == 1.0


def test_interval_widens_with_confidence() -> None:
    narrow, wide = wilson_interval(9, 10, 0.5), wilson_interval(9, 10, 0.99)
    assert wide[0] < narrow[0] < 0.9 < narrow[1] < wide[1]


@pytest.mark.parametrize("count", [100, 1000])
def test_interval_covers_the_true_rate_as_often_as_it_says(count: int) -> None:
    draws = np.random.default_rng(20)
    rates = draws.uniform(0.5, 0.99, size=4000)
    ends = [(rate, wilson_interval(int(draws.binomial(count, rate)), count)) for rate in rates]
    coverage = float(np.mean([low <= rate <= high for rate, (low, high) in ends]))
    assert 0.93 <= coverage <= 0.97


@pytest.mark.parametrize(("successes", "count"), [(0, 0), (-1, 3), (4, 3)])
def test_interval_of_an_impossible_count_is_refused(successes: int, count: int) -> None:
    with pytest.raises(AssertionError):
        wilson_interval(successes, count)
