"""Two ways of classifying compared on the same draws and the same test images.

The mean difference of accuracies varies for two reasons: other draws of labels would have been
trained on, and other images would have been tested. Resampling both (draws x images) is the usual
way to an interval. For a mean its variance is known without drawing (Owen 2007, The pigeonhole
bootstrap), and with few draws its percentiles are too narrow, as the spread of three numbers is
badly known: where draws matter most they cover the truth in three cases of four. So the two parts
of the variance are estimated apart, and each is given its own quantile of Student's t (Banerjee
1960, Approximate confidence interval for linear functions of means of k populations): with it an
interval is never too narrow, whatever the level. One t with the degrees of freedom of the sum
(Satterthwaite 1946) does at 95 %, but not at 99.8 %, where one of thirty comparisons is judged.
`scripts/simulate_verdict.py` shows what all this amounts to.
"""

import math
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.optimize import root_scalar
from scipy.special import stdtrit
from scipy.stats import binomtest

from ae_cls.evaluate.resampled import corrected_variance

Correct = Bool[np.ndarray, "pairs images"]
"""Whether each answer was right: a row a trained classifier, a column a test image."""

Differences = Float64[np.ndarray, "pairs images"]
"""One method's answers less the other's, -1 to 1 each."""

Scores = Float64[np.ndarray, " _"]
"""One number a draw, a split or an image."""

Numbers = Int64[np.ndarray, " _"]
"""One a row or an image; the same for those that are not independent of each other."""

_LEAST_LOG_P, _MOST_LOG_P = math.log(1e-12), math.log1p(-1e-9)

EXACT_FLIPS = 2**16
"""Up to so many patterns of signs all are tried, which is 16 draws; else as many drawn ones."""


@final
@dataclass(frozen=True)
class Comparison:
    """How much better one method is than another, in accuracy.

    Attributes:
        difference: the mean, from -1 to 1; above 0 the first is better.
        pairs: independent draws compared.
        units: independent test images.
        of_draws: variance of the mean that comes from the draws, known with `pairs - 1` degrees
            of freedom; 0 where there is one draw, whose spread is unknown.
        of_images: variance that comes from the images alone, known with `units - 1`.
        at_least: variance that these draws have on other images, which the whole is never below:
            few draws may happen to agree.
        lasting: the part of the variance that more draws would leave.
        p: two-sided, of no difference, and dual to the interval: the smallest level whose interval
            holds 0. Exact McNemar where there is one draw.
        flips_p: two-sided p of the sign-flip test over draws, which assumes nothing of their
            distribution, but is never below 2 / 2^draws; None where there is one draw, or splits.
    """

    difference: float
    pairs: int
    units: int
    of_draws: float
    of_images: float
    at_least: float
    lasting: float
    p: float = math.nan
    flips_p: float | None = None

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Lower and upper end of what the difference may be."""
        half = self._half_width(confidence)
        return self.difference - half, self.difference + half

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.interval()[0]

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.interval()[1]

    def _half_width(self, confidence: float) -> float:
        place = (1 + confidence) / 2
        draws = float(stdtrit(max(1, self.pairs - 1), place)) ** 2
        images = float(stdtrit(max(1, self.units - 1), place)) ** 2
        both = draws * self.of_draws + images * self.of_images
        return math.sqrt(max(both, images * self.at_least))

    def _with_p(self) -> "Comparison":
        """With the level at which the interval begins to hold 0."""

        def beyond(logarithm: float) -> float:
            return self._half_width(-math.expm1(logarithm)) - abs(self.difference)

        if beyond(_LEAST_LOG_P) <= 0:
            return replace(self, p=math.exp(_LEAST_LOG_P))
        if beyond(_MOST_LOG_P) >= 0:
            return replace(self, p=1.0)
        crossed = root_scalar(beyond, bracket=(_LEAST_LOG_P, _MOST_LOG_P), method="brentq").root
        return replace(self, p=math.exp(crossed))


def compare(
    a: Correct, b: Correct, units: Numbers, *, seed: int, draws: Numbers | None = None
) -> Comparison:
    """How much better `a` is than `b`, both fitted on the same draws and asked the same images.

    Args:
        a: answers of the first, row by row on the same draws as those of `b`.
        b: answers of the second.
        units: a number for each image, the same for those that count once: copies, groups.
        seed: of the sign patterns drawn where there are too many to try all.
        draws: a number for each row, the same for rows of one draw of labels, which are averaged
            first: they are not independent. None: each row is a draw of its own.
    """
    rows = a.astype(np.float64) - b
    merged = rows if draws is None else means_of_draws(rows, draws)
    comparison = compare_differences(merged, units)
    if len(merged) == 1:
        return _of_one_pair(comparison, merged[0], units)
    return replace(comparison, flips_p=sign_flip_p(merged.mean(axis=1), seed))


def compare_differences(rows: Differences, units: Numbers) -> Comparison:
    """As `compare`, of any differences of which each row is a draw; without sign flips."""
    mean, draws, by_row = float(rows.mean()), len(rows), rows.mean(axis=1)
    by_unit = _shares_of_units(rows - by_row[:, None], units)
    of_units, count = by_unit.mean(axis=0), by_unit.shape[1]
    # Two images more, on which each method wins in one draw (Bonett & Price 2012 for one draw):
    # else two methods that agree on 20 images would be known to agree on all.
    seen = (float(of_units @ of_units) + 2 / draws) / (count + 1) / (count + 2)
    if draws == 1:
        return Comparison(mean, 1, count, 0.0, seen, seen, seen)._with_p()
    of_draws = float(by_row.var(ddof=1)) / draws
    rest = float(((by_unit - of_units) ** 2).sum()) / (draws - 1) / max(1, count - 1)
    # The spread of draws holds each draw's own luck with the images; it is not counted twice.
    alone = max(0.0, seen - rest / draws / (count + 2))
    return Comparison(mean, draws, count, of_draws, alone, seen, alone)._with_p()


def compare_splits(differences: Scores, *, n_train: int | float, n_test: int | float) -> Comparison:
    """The same over repeated splits of one small set, each with its own test images.

    Training sets of such splits overlap, and so do their test sets; the variance is corrected for
    that (Nadeau & Bengio 2003).

    Args:
        differences: of accuracies, one a split, two at least.
        n_train: rows that a split leaves for learning, whether all of them show a label or not.
        n_test: rows that it tests on.
    """
    count, of_splits = len(differences), corrected_variance(differences, n_train, n_test)
    # The two images of `compare_differences`: three splits of 20 images may happen to agree.
    units = round(min(count * n_test, n_train + n_test))
    images = 2 / (units + 2) ** 2
    overlap = of_splits - float(np.var(differences, ddof=1)) / count  # which no split takes away
    return Comparison(
        float(differences.mean()), count, units, of_splits, images, images, overlap + images
    )._with_p()


def means_of_draws(rows: Differences, draws: Numbers) -> Float64[np.ndarray, "draws images"]:
    """A row for each draw: the mean of its rows, in ascending order of the draws' numbers."""
    return np.stack([rows[draws == draw].mean(axis=0) for draw in np.unique(draws)])


def sign_flip_p(differences: Scores, seed: int) -> float:
    """Two-sided p of the mean if each difference could as well have had the other sign.

    Exact up to 16 draws; beyond, of 2^16 drawn patterns and the one seen.
    """
    count = len(differences)
    is_exact = 2**count <= EXACT_FLIPS
    generator = np.random.default_rng(seed)
    patterns = (
        (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        if is_exact
        else generator.integers(0, 2, (EXACT_FLIPS, count))
    )
    sums = np.abs((1 - 2 * patterns) @ differences)
    seen = abs(float(differences.sum())) * (1 - 1e-12)  # sums in another order round otherwise
    at_least = int((sums >= seen).sum())
    return at_least / len(sums) if is_exact else (at_least + 1) / (len(sums) + 1)


def mcnemar_p(first_alone: int, second_alone: int) -> float:
    """Exact two-sided p of two classifiers being as good, by the images only one is right on."""
    discordant = first_alone + second_alone
    return float(binomtest(first_alone, discordant).pvalue) if discordant else 1.0


def _of_one_pair(comparison: Comparison, row: Scores, units: Numbers) -> Comparison:
    votes = _shares_of_units(row[None], units)
    return replace(comparison, p=mcnemar_p(int((votes > 0).sum()), int((votes < 0).sum())))


def _shares_of_units(rows: Differences, units: Numbers) -> Float64[np.ndarray, "pairs _"]:
    """The sum of each unit in each row, scaled so that their mean is the row's."""
    order = np.argsort(units, kind="stable")
    starts = np.flatnonzero(np.diff(units[order], prepend=units[order[0]] - 1))
    return np.add.reduceat(rows[:, order], starts, axis=1) * (len(starts) / len(units))
