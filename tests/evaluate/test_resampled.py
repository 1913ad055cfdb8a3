import numpy as np
import pytest
from jaxtyping import Bool, Float64

from ae_cls.evaluate.resampled import corrected_interval


def test_interval_matches_the_formula_by_hand() -> None:
    # Mean 0.6, sample variance 0.02/2 = 0.01; (1/3 + 10/20) x 0.01 = 0.0083333, its root 0.0912871;
    # t with 2 degrees of freedom at 0.975 is 4.302653 (any printed table).
    low, high = corrected_interval(np.array([0.5, 0.6, 0.7]), n_train=20, n_test=10)
    assert (low, high) == pytest.approx((0.6 - 0.392777, 0.6 + 0.392777), abs=1e-6)


def test_more_repeats_narrow_it_only_as_far_as_the_overlap_allows() -> None:
    scores = np.array([0.5, 0.6, 0.7])
    few = corrected_interval(scores, n_train=80, n_test=20)
    many = corrected_interval(np.tile(scores, 10_000), n_train=80, n_test=20)
    assert few[0] < many[0] < many[1] < few[1]
    # What is left: z x the root of n_test/n_train x the variance of the scores.
    assert (many[1] - many[0]) / 2 == pytest.approx(1.96 * (0.25 * np.var(scores)) ** 0.5, rel=1e-3)


def test_it_may_leave_0_to_1_because_scores_may_be_differences() -> None:
    low, high = corrected_interval(np.array([-0.4, 0.1, 0.0]), n_train=10, n_test=5)
    assert low < -0.4 and high > 0.1


def test_one_split_has_no_interval() -> None:
    with pytest.raises(AssertionError):
        corrected_interval(np.array([0.5]), n_train=10, n_test=5)


def test_interval_covers_the_accuracy_as_often_as_it_says() -> None:
    # 60 rows of two overlapping classes, a nearest-mean classifier, 5 x 5 folds, 500 data sets.
    # Without the correction the same intervals cover 60 %.
    draws = np.random.default_rng(7)
    held = _folds(draws, rows=60, folds=5, repeats=5)
    scores = np.stack([_accuracies(draws, held) for _ in range(500)])
    truth = scores.mean()
    ends = np.array([corrected_interval(one, n_train=48, n_test=12) for one in scores])
    assert 0.93 <= np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])) <= 0.99
    naive = np.array([corrected_interval(one, n_train=1, n_test=1e-9) for one in scores])
    assert np.mean((naive[:, 0] <= truth) & (truth <= naive[:, 1])) < 0.8


def _folds(
    draws: np.random.Generator, *, rows: int, folds: int, repeats: int
) -> Bool[np.ndarray, "j n"]:
    """Which rows each split holds back; even rows are of class 0, and folds hold both alike."""
    pairs = [draws.permutation(np.repeat(np.arange(folds), rows // 2 // folds)) for _ in "ab"]
    return np.concatenate(
        [
            np.stack([draws.permutation(one) for one in pairs], axis=1).reshape(1, -1)
            == np.arange(folds)[:, None]
            for _ in range(repeats)
        ]
    )


def _accuracies(
    draws: np.random.Generator, held: Bool[np.ndarray, "j n"]
) -> Float64[np.ndarray, " j"]:
    labels = np.arange(held.shape[1]) % 2
    values = draws.normal(size=held.shape[1]) + labels
    fitted = ~held
    means = [
        (fitted * (labels == label) @ values) / (fitted * (labels == label)).sum(axis=1)
        for label in (0, 1)
    ]
    nearest = np.abs(values - means[1][:, None]) < np.abs(values - means[0][:, None])
    return ((nearest == labels) * held).sum(axis=1) / held.sum(axis=1)
