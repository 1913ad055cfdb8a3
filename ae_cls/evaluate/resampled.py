"""The interval of a mean over repeated splits of one set, whose training parts overlap."""

import math

import numpy as np
from jaxtyping import Float64
from scipy.special import stdtrit


def corrected_interval(
    scores: Float64[np.ndarray, " j"], n_train: int | float, n_test: int | float
) -> tuple[float, float]:
    """The 95 % interval of the mean score of classifiers that learn from `n_train` rows.

    By `corrected_variance`, with j - 1 degrees of freedom. Scores may be differences: the ends are
    not held to [0, 1].

    Args:
        scores: one of each split, of two splits at least.
        n_train: rows that each split was fitted on; their mean where splits differ.
        n_test: rows that each score was taken on; their mean likewise.
    """
    variance = corrected_variance(scores, n_train, n_test)
    half = float(stdtrit(len(scores) - 1, 0.975)) * math.sqrt(variance)
    mean = float(np.mean(scores))
    return mean - half, mean + half


def corrected_variance(
    scores: Float64[np.ndarray, " j"], n_train: int | float, n_test: int | float
) -> float:
    """Variance of the mean score over repeated splits (Nadeau & Bengio 2003, section 4).

    Inference for the generalization error: scores of splits of one set vary together, so their
    variance is taken (1/j + n_test/n_train) times, not 1/j times. More repeats therefore narrow
    an interval only so far. Arguments as in `corrected_interval`.
    """
    count = len(scores)
    assert count >= 2 and n_train > 0 and n_test > 0, (count, n_train, n_test)
    return (1 / count + n_test / n_train) * float(np.var(scores, ddof=1))
