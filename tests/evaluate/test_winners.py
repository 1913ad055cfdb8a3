"""Which side wins at each budget: by the single comparisons, and by simulated truth."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ae_cls.evaluate.claims import LEVEL, holm
from ae_cls.evaluate.paired import Comparison, compare_differences
from ae_cls.evaluate.winners import Contest, chained, winners

simulated = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "simulate_verdict.py"))
SCENES, USUAL = simulated["SCENES"], simulated["SPREADS"]["usual"]


def sure(difference: float, p: float, pairs: int = 5) -> Comparison:
    """A comparison of this p."""
    some = compare_differences(np.full((pairs, 10), difference), np.arange(10))
    return replace(some, p=p)


def contest(twins: tuple[str, ...] = (), **versus: Comparison) -> Contest:
    """Of comparisons by `ours_theirs`."""
    pairs = {(name.split("_")[0], name.split("_")[1]): one for name, one in versus.items()}
    return Contest(pairs, frozenset(pair for pair in pairs if pair[1] in twins))


def test_to_beat_every_control_each_comparison_need_show_it_unadjusted():
    ten = {f"ours_c{i}": sure(0.1, 0.04) for i in range(10)}
    (found,) = winners([contest(**ten)])
    assert found.over_controls["ours"].p == pytest.approx(0.04)
    assert found.over_controls["ours"].level == LEVEL
    assert not found.controls


def test_one_control_that_is_as_good_is_enough_against_it():
    ten = {f"ours_c{i}": sure(0.1, 1e-6) for i in range(10)}
    (found,) = winners([contest(**(ten | {"ours_c3": sure(0.01, 0.3)}))])
    assert not found.over_controls and not found.controls
    (found,) = winners([contest(**(ten | {"ours_c3": sure(-0.1, 1e-6)}))])
    assert not found.over_controls and set(found.controls) == {"c3"}


def test_twins_are_asked_about_first_at_no_further_cost():
    both = contest(("random",), ours_random=sure(0.1, 0.01), ours_hog=sure(0.1, 0.04))
    (found,) = winners([both])
    assert (found.over_twins["ours"].p, found.over_controls["ours"].p) == (0.01, 0.04)
    (found,) = winners([replace(both, twins=frozenset())])
    assert not found.over_twins and found.over_controls["ours"].p == 0.04


def test_questions_are_adjusted_for_each_other_and_for_all_budgets():
    one = contest(a_x=sure(0.1, 0.02), b_x=sure(0.1, 0.5))
    (found,) = winners([one])
    assert found.over_controls["a"].p == 0.04
    assert not winners([one, one])[0].over_controls


def test_a_control_must_beat_every_pretrained_method():
    (found,) = winners([contest(a_x=sure(-0.1, 0.001), b_x=sure(-0.1, 0.02))])
    assert found.controls["x"].p == 0.02
    (found,) = winners([contest(a_x=sure(-0.1, 0.001), b_x=sure(0.1, 0.001))])
    assert not found.controls


def test_of_two_draws_nothing_is_claimed():
    (found,) = winners([contest(a_x=sure(0.5, 1e-9, pairs=2))])
    assert not (found.over_controls or found.over_twins or found.controls)


def test_chains_of_one_are_holms():
    ps = [0.01, 0.04, 0.03, 0.005]
    assert [one.p for (one,) in chained([[p] for p in ps])] == pytest.approx(holm(ps))
    assert chained([]) == []


def test_a_chain_stops_where_it_fails_and_gives_nothing_away():
    (first, second), (other,) = chained([[0.001, 0.9], [0.03]])
    assert first.p == pytest.approx(0.002)
    assert other.p == pytest.approx(0.06)  # the first chain is not finished: half is all there is
    assert second.p == pytest.approx(0.9)
    _, (other,) = chained([[0.001, 0.002], [0.03]])
    assert other.p == pytest.approx(0.03)


@pytest.mark.parametrize("title", [title for title, one in SCENES.items() if title != "no effect"])
def test_whoever_is_said_to_win_does(title: str) -> None:
    said = simulated["on_a_verdict"](SCENES[title], USUAL, 10, 20, 300)
    assert said.wrong <= 0.1 and said.pair <= 0.1


def test_without_effect_hardly_any_verdict_names_a_winner():
    said = simulated["on_a_verdict"](SCENES["no effect"], USUAL, 3, 20, 100)
    assert said.wrong <= 0.05


def test_with_an_effect_most_winners_are_named():
    said = simulated["on_a_verdict"](SCENES["one better than all"], USUAL, 10, 20, 3000)
    assert said.right >= 0.5
