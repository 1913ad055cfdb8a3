"""How well a linear classifier in closed form tells classes apart, without setting labels aside.

Hoerl & Kennard 1970, Ridge regression, Technometrics 12; leaving rows out in closed form: Allen
1974, The relationship between variable selection and data augmentation, Technometrics 16.
"""

import numpy as np
from jaxtyping import Float, Float64, Int64
from threadpoolctl import threadpool_limits

_PENALTIES = 10.0 ** np.arange(-5, 3.5, 0.5)  # times the mean variance along an axis

Table = Float64[np.ndarray, "n d"]
Answers = Float64[np.ndarray, "n k"]
Units = Int64[np.ndarray, " n"]


def ridge_accuracy(
    features: Float[np.ndarray, "n d"], labels: Int64[np.ndarray, " n"], units: Units
) -> float:
    """Share of rows whose class is right where the row and its like were left out of the fit.

    The penalty is that with the smallest squared error of these answers.

    Args:
        features: of labelled images.
        labels: class of each, from 0.
        units: rows with the same number, such as copies of an image, are left out together.
    """
    table, targets = _standardised(features), np.eye(labels.max() + 1)[labels]
    penalties = _PENALTIES * max(table.shape)
    answers = left_out(table, targets, units, penalties)
    errors = [np.square(answer - targets).sum() for answer in answers]
    return float((answers[int(np.argmin(errors))].argmax(axis=1) == labels).mean())


def left_out(
    table: Table, targets: Answers, units: Units, penalties: Float64[np.ndarray, " p"]
) -> list[Answers]:
    """For each penalty, the answer to each row by the fit to all rows but those of its unit.

    Args:
        table: features whose means are 0.
        targets: what to answer; the mean is fitted without a penalty.
        units: which rows are left out together.
        penalties: on the squared weights.
    """
    axes, squares = _axes(table)
    means = targets.mean(axis=0)
    along = axes.T @ (targets - means)
    answers = list[Answers]()
    for penalty in penalties:
        kept = squares / (squares + penalty)
        residuals = targets - means - axes @ (kept[:, None] * along)
        answers.append(targets - _without_own(residuals, axes, kept, units))
    return answers


def _without_own(
    residuals: Answers,
    axes: Float64[np.ndarray, "n r"],
    kept: Float64[np.ndarray, " r"],
    units: Units,
) -> Answers:
    """What each residual would be had its unit not been fitted: (1 - hat)^-1 times it."""
    own = 1 / len(axes) + np.square(axes) @ kept
    without = residuals / (1 - own)[:, None]
    numbers, counts = np.unique(units, return_counts=True)
    for unit in numbers[counts > 1]:
        rows = np.flatnonzero(units == unit)
        hat = 1 / len(axes) + (axes[rows] * kept) @ axes[rows].T
        without[rows] = np.linalg.lstsq(np.eye(len(rows)) - hat, residuals[rows])[0]
    return without


def _axes(table: Table) -> tuple[Float64[np.ndarray, "n r"], Float64[np.ndarray, " r"]]:
    """The left singular vectors and squared singular values, from the smaller of the products."""
    products = table @ table.T if len(table) <= table.shape[1] else table.T @ table
    with threadpool_limits(1):  # on a busy machine many threads take many times as long
        squares, axes = np.linalg.eigh(products)
    there = squares > 1e-12 * squares.max()
    squares, axes = squares[there], axes[:, there]
    return (axes if len(axes) == len(table) else table @ axes / np.sqrt(squares)), squares


def _standardised(features: Float[np.ndarray, "n d"]) -> Table:
    """Each feature with mean 0 and variance 1; one that does not differ is 0."""
    centred = (features - features[0]).astype(np.float64)
    centred -= centred.mean(axis=0)
    spread = centred.std(axis=0)
    return centred / np.where(spread > 0, spread, 1)
