"""Comparisons on common draws and images: against hand-made cases and simulated truth."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import permutation_test

from ae_cls.evaluate.claims import claims, further_draws, holm
from ae_cls.evaluate.label_worth import label_worth
from ae_cls.evaluate.paired import (
    Comparison,
    compare,
    compare_differences,
    compare_splits,
    mcnemar_p,
    sign_flip_p,
)
from ae_cls.evaluate.ranks import shared_ranks
from ae_cls.evaluate.resampled import corrected_interval

simulated = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "simulate_verdict.py"))


def answers(draws: int, images: int, *shares: float, seed: int = 0) -> list[np.ndarray]:
    """One matrix a method: how hard an image is, is the same for all."""
    generator = np.random.default_rng(seed)
    hard = generator.random(images)
    wobble = generator.normal(0, 0.1, (draws, images))
    return [hard + wobble < share + generator.normal(0, 0.01, (draws, 1)) for share in shares]


def on_images(rows: np.ndarray) -> Comparison:
    return compare_differences(rows, np.arange(rows.shape[1]))


def test_the_difference_is_that_of_the_accuracies():
    better, worse = answers(5, 400, 0.8, 0.7)
    found = compare(better, worse, np.arange(400), seed=0)
    assert found.difference == pytest.approx(better.mean() - worse.mean())
    assert found.low < found.difference < found.high
    assert found.pairs == 5


def test_p_is_the_level_at_which_the_interval_begins_to_hold_0():
    better, worse = answers(4, 300, 0.75, 0.72)
    found = compare(better, worse, np.arange(300), seed=0)
    low, high = found.interval(1 - found.p)
    assert min(abs(low), abs(high)) < 1e-9
    back = compare(worse, better, np.arange(300), seed=0)
    assert (back.difference, back.p) == pytest.approx((-found.difference, found.p))


def test_copies_count_once():
    better, worse = answers(4, 100, 0.8, 0.7)
    alone = compare(better, worse, np.arange(100), seed=0)
    fourfold = [np.tile(one, 4) for one in (better, worse)]
    once = compare(*fourfold, np.tile(np.arange(100), 4), seed=0)
    as_others = compare(*fourfold, np.arange(400), seed=0)
    assert (once.low, once.high) == pytest.approx((alone.low, alone.high))
    assert as_others.of_images < 0.5 * once.of_images


def test_seeds_of_one_draw_are_no_further_draws():
    better, worse = answers(3, 200, 0.8, 0.7)
    repeated = [one.repeat(5, axis=0) for one in (better, worse)]
    found = compare(*repeated, np.arange(200), seed=0, draws=np.arange(3).repeat(5))
    once = compare(better, worse, np.arange(200), seed=0)
    assert found.pairs == 3
    assert (found.low, found.high, found.p) == pytest.approx((once.low, once.high, once.p))


def test_methods_that_agree_on_few_images_are_not_known_to_agree():
    same = np.ones((5, 20), bool)
    found = compare(same, same, np.arange(20), seed=0)
    assert found.low < -0.05 and found.high > 0.05
    assert claims([found])[0].word == "cannot be told apart"


def test_the_sign_flip_test_is_scipys_exact_one():
    differences = np.random.default_rng(3).normal(0.5, 1, 8)
    exact = permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(differences, 0) == pytest.approx(exact.pvalue)


@pytest.mark.parametrize(("draws", "least"), [(3, 0.25), (5, 0.0625), (6, 0.03125)])
def test_the_sign_flip_test_cannot_say_more_than_its_draws(draws, least):
    assert sign_flip_p(np.ones(draws), 0) == least


def test_more_than_16_draws_are_flipped_at_random():
    generator = np.random.default_rng(1)
    assert sign_flip_p(generator.normal(0, 1, 40), 0) > 0.05
    assert 0 < sign_flip_p(generator.normal(2, 1, 40), 0) < 1e-4


def test_mcnemar_is_the_published_one():
    # Agresti, Categorical Data Analysis, table 10.1 has 86 and 150: chi-squared 17.4 with one
    # degree of freedom, p = 3e-5; of 1 and 9 the exact p is 22 / 1024.
    assert mcnemar_p(86, 150) == pytest.approx(3.7e-5, rel=0.05)
    assert mcnemar_p(1, 9) == pytest.approx(22 / 1024)
    assert mcnemar_p(0, 0) == 1


def test_one_pair_is_judged_by_mcnemar_and_claims_nothing():
    better, worse = np.ones((1, 100), bool), np.arange(100)[None] >= 60
    found = compare(better, worse, np.arange(100), seed=0)
    assert found.p == pytest.approx(2 / 2**60)
    assert found.low > 0.4
    assert claims([found])[0].word == "cannot be told apart"
    assert further_draws(found) is None


def test_splits_are_those_of_nadeau_and_bengio():
    scores = np.random.default_rng(0).normal(0.05, 0.03, 10)
    found = compare_splits(scores, n_train=9000, n_test=1000)
    ends = corrected_interval(scores, 9000, 1000)
    assert (found.low, found.high) == pytest.approx(ends, abs=1e-4)


def test_holm_is_the_textbooks():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_claims_and_adjusted_intervals_say_the_same():
    methods = answers(6, 500, 0.7, 0.6, 0.71, 0.695, 0.8)
    units = np.arange(500)
    compared = [compare(one, methods[0], units, seed=0) for one in methods[1:]]
    said = claims(compared)
    assert [claim.word for claim in said] == [
        "hurts", "cannot be told apart", "cannot be told apart", "helps",
    ]  # fmt: skip
    for claim in said:
        assert (claim.low > 0) == (claim.word == "helps")
        assert (claim.high < 0) == (claim.word == "hurts")


def test_further_draws_are_about_what_it_takes():
    seen = on_images(with_means(0.0, 0.04, 0.02, 0.03))
    further = further_draws(seen)
    assert claims([seen])[0].word == "cannot be told apart"
    assert further is not None and 1 <= further <= 4
    twice = on_images(with_means(*(0.0, 0.04, 0.02, 0.03) * 2))
    assert claims([twice])[0].word == "helps"
    assert further_draws(on_images(with_means(0.0, 0.001, -0.001))) is None


def with_means(*means: float) -> np.ndarray:
    """Differences on 10,000 images, of which the first ones tell."""
    images = np.arange(10_000)
    return np.stack([np.sign(mean) * (images < 10_000 * abs(mean)) for mean in means])


def test_methods_that_cannot_be_told_apart_share_a_rank():
    names, methods = ("good", "same", "bad"), answers(6, 800, 0.8, 0.8, 0.6)
    pairs = [(0, 1), (0, 2), (1, 2)]
    comparisons = {
        (names[i], names[j]): compare(methods[i], methods[j], np.arange(800), seed=0)
        for i, j in pairs
    }
    assert shared_ranks(names, comparisons) == {"good": 1, "same": 1, "bad": 3}


def test_labels_are_worth_what_the_other_needs():
    *controls, reached = (one * 1.0 for one in answers(6, 2000, 0.5, 0.6, 0.7, 0.65))
    curve = dict(zip((10, 100, 1000), controls, strict=True))
    worth = label_worth(10, reached, curve, on_images)
    share = (reached.mean() - curve[100].mean()) / (curve[1000].mean() - curve[100].mean())
    assert worth.is_evidence
    assert worth.needed == pytest.approx(100 * 10**share, rel=0.11)  # up to one step
    assert worth.low is not None and worth.high is not None
    assert 100 < worth.low < worth.needed < worth.high < 1000


@pytest.mark.parametrize(
    ("share", "needed", "low", "high"), [(0.9, False, 1000, None), (0.3, True, None, 10)]
)
def test_what_was_not_measured_is_left_open(share, needed, low, high):
    few, many, reached = (one * 1.0 for one in answers(6, 2000, 0.5, 0.7, share))
    worth = label_worth(100, reached, {10: few, 1000: many}, on_images)
    assert (worth.needed is not None, worth.low, worth.high) == (needed, low, high)
    assert worth.is_evidence


def test_a_flat_curve_is_no_evidence():
    few, many, same = (one * 1.0 for one in answers(4, 300, 0.6, 0.602, 0.601))
    worth = label_worth(100, same, {10: few, 1000: many}, on_images)
    assert not worth.is_evidence


@pytest.mark.parametrize("draws", [3, 5, 10])
def test_without_effect_helps_is_hardly_ever_said_and_intervals_cover(draws):
    spread = simulated["SPREADS"]["usual"]
    none = simulated["on_draws_and_images"](spread, draws, 0.0, 150, 200, bootstraps=False)
    some = simulated["on_draws_and_images"](spread, draws, 0.3, 150, 200, bootstraps=False)
    # 150 repeats have a standard error of 1.8 points.
    assert none.helps <= 0.05
    assert some.covers >= 0.91 and none.covers >= 0.91
    assert some.helps > 3 * none.helps


def test_repeated_folds_of_a_small_set_are_honest():
    none = simulated["on_splits"](0.0, 2, 150, 40)
    some = simulated["on_splits"](1.5, 2, 150, 40)
    assert none.helps <= 0.05
    assert some.covers >= 0.92
    assert some.helps > 0.1
