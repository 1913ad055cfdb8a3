"""What a study compares: budgets, arms, cells, and what is left out for want of time."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydantic import ValidationError

from ae_cls.errors import UsageError
from ae_cls.experiment import configs
from ae_cls.study.arms import Arm, ArmFile, words_of_arm
from ae_cls.study.budgets import Budget, budgets_of
from ae_cls.study.cells import Cell, Extent, cells_of, pretraining_of
from ae_cls.study.facts import ArmFacts
from ae_cls.study.fit import FEWEST_DRAWS, fitted, left_out, with_more_draws
from ae_cls.study.plan import _lots
from ae_cls.train.length import Length
from tests.composed import options, plain

DEFAULTS = configs.defaults_of("run")


def titles(rarest: int, labels: int, classes: int = 10) -> list[str]:
    return [one.title for one in budgets_of(None, labels=labels, rarest=rarest, classes=classes)]


def test_budgets_fit_the_data() -> None:
    assert titles(5400, 54_000) == [
        "10 a class", "30 a class", "100 a class", "600 a class", "all",
    ]  # fmt: skip
    assert titles(125, 1294) == ["2 a class", "5 a class", "10 a class", "30 a class", "all"]
    assert titles(10, 40, classes=4) == ["2 a class", "5 a class", "all"]


def test_budgets_of_data_with_a_rare_class_are_shares() -> None:
    assert titles(3, 1000, classes=3) == ["1 %", "3 %", "10 %", "30 %", "all"]
    assert titles(1, 12, classes=3) == ["all"]


def test_given_budgets_are_sorted_and_counted_once() -> None:
    found = budgets_of(["all", 10, "30%", 5, "10"], labels=1000, rarest=90, classes=10)
    assert [(one.word, one.count) for one in found] == [
        ("labels.per_class=5", 50), ("labels.per_class=10", 100), ("labels.fraction=0.3", 300),
        ("", 1000),
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", [0, 91, -3, "many", "0%", "0.5%", "200%", "1.5"])
def test_a_budget_that_cannot_be_is_refused(wrong: int | str) -> None:
    with pytest.raises(UsageError, match="is not a budget"):
        budgets_of([wrong], labels=1000, rarest=90, classes=10)


def composed(arm: Sequence[str], *study: str) -> set[str]:
    return set(words_of_arm(Arm("one", tuple(arm), ""), study, DEFAULTS))


def test_what_an_arm_chooses_replaces_the_choice_of_the_study_with_its_keys() -> None:
    study = ("autoencoder=vae", "autoencoder.latent_dim=8", "autoencoder/corruption=none", "seed=1")
    assert composed(["autoencoder=pixels"], *study) == {"seed=1", "autoencoder=pixels"}
    assert composed(["pretrain=none"], *study, "pretrain.epochs=3") == {*study, "pretrain=none"}


def test_what_an_arm_chooses_like_the_study_keeps_its_keys() -> None:
    keys = ("head=finetune", "head.epochs=3")
    assert composed(["head=finetune"], *keys) == set(keys)
    assert composed(["head=linear"], "head.C=[1]") == {"head=linear", "head.C=[1]"}


def test_an_arm_that_chooses_no_head_leaves_the_encoder_as_it_is() -> None:
    assert composed([], "head=finetune", "head.epochs=3", "seed=1") == {"seed=1"}
    assert composed([], "head=svm", "head.C=[1]") == {"head=svm", "head.C=[1]"}


@pytest.mark.parametrize("name", options("arm"))
def test_every_arm_composes(name: str) -> None:
    path = configs.option_file("arm", name)
    arm = ArmFile.model_validate_json(json.dumps(configs.read_yaml(path)))
    assert configs.first_comment(path)
    words = words_of_arm(Arm(name, arm.words, ""), ("seed=1",), DEFAULTS)
    assert plain("run", *words)["seed"] == 1


def test_a_key_that_arms_do_not_have_is_refused() -> None:
    with pytest.raises(ValidationError):
        ArmFile.model_validate_json('{"words": [], "same_compute": false, "colour": 1}')


ARMS = tuple(
    Arm(name, (), "") for name in ("pretrained", "random", "scratch", "lbp", "scratch_long")
)
BUDGETS = (
    Budget("labels.per_class=1", "1 a class", 10),
    Budget("labels.per_class=5", "5 a class", 50),
    Budget("labels.per_class=9", "9 a class", 90),
    Budget("", "all", 1000),
)
WHOLE = Extent(ARMS, BUDGETS, draws=5, seeds=1, folds=None, repeats=1)


def test_every_cell_is_run_once_and_all_labels_without_a_draw() -> None:
    cells = cells_of(WHOLE)
    assert len(cells) == len(set(cells)) == 5 * (3 * 5 + 1)
    assert {cell.draw for cell in cells if cell.budget.is_all} == {None}
    assert cells[:5] == [Cell(arm, BUDGETS[0], 0, 0) for arm in ARMS]
    assert all(cell.budget.is_all for cell in cells[-5:])


def test_what_pretrains_comes_first_in_a_draw_and_what_would_wait_for_it_last() -> None:
    extent = replace(WHOLE, networks={"pretrained": "conv", "scratch_long": "conv", "lbp": "lbp"})
    draw = cells_of(extent)[:15]
    assert set(draw) == set(cells_of(WHOLE)[:15])
    assert [(cell.arm.name, cell.budget.title) for cell in draw[:4]] == [
        ("pretrained", "1 a class"), ("lbp", "1 a class"), ("random", "1 a class"),
        ("scratch", "1 a class"),
    ]  # fmt: skip
    assert [cell.arm.name for cell in draw[8:]] == [
        "scratch_long", *2 * ["pretrained", "lbp", "scratch_long"],
    ]  # fmt: skip


def test_each_network_is_pretrained_by_the_first_cell_that_needs_it() -> None:
    networks = {"pretrained": "conv", "scratch_long": "conv", "lbp": "lbp"}
    extent = replace(WHOLE, networks=networks, seeds=2)
    cells = cells_of(extent)
    assert [
        (network, cell.arm.name, cell.budget.title, cell.draw, cell.seed)
        for cell, network in pretraining_of(cells, networks).items()
    ] == [
        (network, arm, "1 a class", 0, seed)
        for seed in range(2)
        for network, arm in [("conv", "pretrained"), ("lbp", "lbp")]
    ]
    assert pretraining_of(cells, {}) == {}


def test_runs_that_pretrain_or_have_all_labels_are_alone_and_none_may_lie_elsewhere() -> None:
    extent = replace(WHOLE, networks={"pretrained": "conv"})
    cells = cells_of(extent)
    lots = _lots(cells, extent)
    alone = [cell for cell in cells if list(lots.values()).count(lots[cell]) == 1]
    assert [(cell.arm.name, cell.budget.title) for cell in alone] == [
        ("pretrained", "1 a class"), *((arm.name, "all") for arm in ARMS),
    ]  # fmt: skip
    # A run of an unnamed lot counts as finished where any other sweep has finished it.
    assert all(lots.values())


def test_folds_take_the_place_of_draws() -> None:
    cells = cells_of(Extent(ARMS[:1], BUDGETS[2:], draws=5, seeds=2, folds=4, repeats=3))
    assert len(cells) == len(set(cells)) == 2 * 2 * 4 * 3
    assert {(cell.repeat, cell.fold) for cell in cells} == {
        (repeat, fold) for repeat in range(3) for fold in range(4)
    }
    assert all(cell.draw in (None, cell.repeat) for cell in cells)


def second_each(cells: list[Cell]) -> float:
    """A second a cell; a minute for one that trains long."""
    return sum(60.0 if cell.arm.name == "scratch_long" else 1.0 for cell in cells)


def test_without_a_limit_nothing_is_left_out() -> None:
    assert fitted(WHOLE, None, second_each) == WHOLE
    assert fitted(WHOLE, 60.0, second_each) == WHOLE
    assert not list(left_out(WHOLE, WHOLE))


def test_the_costly_dispensable_arm_goes_first() -> None:
    extent = fitted(WHOLE, 2.0, second_each)
    assert list(left_out(WHOLE, extent)) == ["the arm scratch_long"]


def test_then_draws_down_to_those_of_which_something_can_be_claimed_then_budgets() -> None:
    extent = fitted(WHOLE, 0.5, second_each)
    assert second_each(cells_of(extent)) <= 30
    assert extent.draws == FEWEST_DRAWS
    assert {"pretrained", "random"} <= {arm.name for arm in extent.arms}
    assert len(extent.budgets) >= 2


def test_a_budget_that_takes_most_of_the_time_goes_before_any_draw() -> None:
    def long_with_all(cells: list[Cell]) -> float:
        return sum(20.0 if cell.budget.is_all else 1.0 for cell in cells)

    extent = fitted(replace(WHOLE, arms=ARMS[:3]), 0.9, long_with_all)
    assert list(left_out(replace(WHOLE, arms=ARMS[:3]), extent)) == ["all labels"]
    assert extent.draws == WHOLE.draws


def test_divisions_come_back_where_there_is_time_once_fine_tuning_is_left_out() -> None:
    arms = tuple(Arm(name, (), "") for name in ("pretrained", "random", "finetuned"))
    small = Extent(arms, BUDGETS[:2], draws=1, seeds=1, folds=5, repeats=5)

    def seconds(cells: list[Cell]) -> float:
        return sum(100.0 if cell.arm.name == "finetuned" else 1.0 for cell in cells)

    found = fitted(small, 1.4, seconds)  # 84 s, of which 5 % are to spare: 20 s a division
    assert [arm.name for arm in found.arms] == ["pretrained", "random"]
    assert found.repeats == 3
    assert list(left_out(small, found)) == ["the arm finetuned", "2 of 5 divisions into folds"]


def test_an_arm_that_was_asked_for_stays() -> None:
    asked = tuple(Arm(arm.name, (), "", is_asked_for=True) for arm in ARMS)
    extent = fitted(Extent(asked, BUDGETS, 5, 1, None, 1), 12.0, second_each)
    assert extent.arms == asked


def test_a_time_in_which_nothing_can_be_claimed_is_refused_with_one_that_would_do() -> None:
    with pytest.raises(UsageError, match=r"study\.minutes=2") as refused:
        fitted(WHOLE, 0.1, second_each)
    assert "the smallest takes about 1" in refused.value.why


def test_the_same_compute_is_more_epochs_by_what_pretraining_costs() -> None:
    # Pretraining saw 10,000 images, each three times as costly.
    arm = ArmFacts(finetune=Length(epochs=7, min_steps=1, batch_size=64), cost_ratio=3.0)
    assert arm.longer_epochs(50, passes=10_000.0) == 7 + 600
    assert arm.longer_epochs(50, passes=10_001.0) == 7 + 601
    # 140 steps of at most 50 images are 140 passes, and not 7.
    arm = ArmFacts(finetune=Length(epochs=7, min_steps=140, batch_size=64), cost_ratio=3.0)
    assert arm.longer_epochs(50, passes=10_000.0) == 140 + 600
    # Two steps pass 100 images.
    assert arm.longer_epochs(100, passes=10_000.0) == 70 + 300


DRAWN = replace(WHOLE, frozen=frozenset({"pretrained", "random", "lbp"}))


def test_frozen_arms_get_more_draws_where_they_cost_little() -> None:
    extent = with_more_draws(DRAWN, 60.0, second_each)
    cells = cells_of(extent)
    assert cells[: len(cells_of(DRAWN))] == cells_of(DRAWN)  # what is more comes last
    further = cells[len(cells_of(DRAWN)) :]
    assert {cell.arm.name for cell in further} == DRAWN.frozen
    assert not any(cell.budget.is_all for cell in further)
    assert extent.more_draws == dict.fromkeys(("1 a class", "5 a class", "9 a class"), 15)
    of_first = [cell.draw for cell in further if cell.budget == BUDGETS[0]]
    assert sorted(set(of_first)) == list(range(5, 20)) and len(of_first) == 15 * 3
    assert len(cells) == len(set(cells))


def test_they_get_none_where_there_is_no_time_and_the_smallest_budget_first() -> None:
    whole = second_each(cells_of(DRAWN))
    assert not with_more_draws(DRAWN, whole / 60, second_each).more_draws
    some = with_more_draws(DRAWN, (whole + 20) / 60 / 0.95, second_each)
    assert some.more_draws == {"1 a class": 5}


def test_they_cost_half_the_time_of_the_others_at_most() -> None:
    ten = replace(DRAWN, arms=tuple(arm for arm in ARMS if arm.name in DRAWN.frozen))
    extent = with_more_draws(ten, None, second_each)
    assert len(cells_of(ten)) < len(cells_of(extent)) <= 1.5 * len(cells_of(ten))
