"""Studies whose plan was lost, damaged or changed by others: taken from the runs, or refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ae_cls.compare.runs import read_runs
from ae_cls.study import plan, study
from ae_cls.study.arms import Arm
from ae_cls.study.budgets import budgets_of
from ae_cls.study.cells import Extent, cells_of
from ae_cls.study.facts import Facts
from tests.cli.conftest import AeCls, with_hydra
from tests.compare.made_up import made_up_sweep
from tests.jobs.conftest import forked, forking, started
from tests.jobs.fake_runs import Started
from tests.study.conftest import known_facts

__all__ = ["forking", "known_facts", "started"]

pytestmark = [with_hydra, forked]

WORDS = (
    "study", "study.arms=[pretrained,finetuned,hog]", "study.budgets=[2]", "study.draws=2",
    "autoencoder.widths=[8,8]", "autoencoder.latent_dim=4", "pretrain=quick", "pretrain.epochs=1",
    "threads=1",
)  # fmt: skip
OF_SAME_TIME = (*WORDS, "study.pretrain_minutes=2")


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of no time leave nothing that could be compared."""
    monkeypatch.setattr(study, "_print_verdict", lambda plan: None)


@pytest.fixture
def speed(known_facts: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets for how many epochs every network pretrains in two minutes."""
    known = plan.look

    def set_epochs(epochs: int) -> None:
        def look(*given: Any) -> Facts:
            found, seconds = known(*given), 120 / 1294 / epochs
            arms = {
                name: replace(arm, pretrain_seconds=seconds) for name, arm in found.arms.items()
            }
            return replace(found, arms=arms)

        monkeypatch.setattr(plan, "look", look)

    return set_epochs


def folder_of(place: Path) -> Path:
    (folder,) = (place / "outputs" / "run").glob("study-*")
    return folder


def epochs_in(folder: Path) -> set[int | None]:
    """Of pretraining, of all runs."""
    configs = [json.loads(path.read_text()) for path in folder.glob("*/config.json")]
    return {config["pretrain"].get("epochs") for config in configs}


LOST = {
    "cut": lambda path: path.write_text("{"),
    "empty": lambda path: path.write_text(""),
    "kinds": lambda path: path.write_text('{"cells": 3, "asked": {"draws": 2}}'),
    "outside": lambda path: path.write_text('{"cells": {"../x": ["a", "all"]}, "asked": {"a": 1}}'),
    "huge": lambda path: path.write_text('{"asked": {"draws": 2}, "draws": 1000000000}'),
    "gone": lambda path: path.unlink(),
}  # fmt: skip


@pytest.mark.parametrize("how", LOST)
def test_a_plan_that_is_lost_is_told_by_the_runs(
    how, ae_cls: AeCls, started: Started, speed, tmp_path
):
    speed(7)
    assert ae_cls(*OF_SAME_TIME).code == 0
    assert len(started.seeds()) == 6
    before = json.loads((folder_of(tmp_path) / "study.json").read_text())
    LOST[how](folder_of(tmp_path) / "study.json")
    speed(9)  # as a machine may seem that is otherwise idle
    outcome = ae_cls(*OF_SAME_TIME)
    assert outcome.code == 0, outcome.err
    assert "study.json was lost or damaged" in outcome.err
    assert "6 runs, 6 of them finished before" in outcome.err
    assert not started.seeds() and epochs_in(folder_of(tmp_path)) == {7, None}
    assert json.loads((folder_of(tmp_path) / "study.json").read_text()) == before


@pytest.mark.parametrize("words", [WORDS, OF_SAME_TIME])
def test_without_any_plan_it_matters_whether_networks_pretrain_for_a_time(
    words, ae_cls: AeCls, started: Started, speed, tmp_path
):
    speed(7)
    assert ae_cls(*words).code == 0
    for name in ("study.json", "sweep.json"):
        (folder_of(tmp_path) / name).write_text("{")
    started.seeds()
    outcome = ae_cls(*words)
    assert not started.seeds()
    if words == WORDS:
        assert outcome.code == 0 and "6 of them finished before" in outcome.err
    else:
        assert outcome.code == 5 and "restore it from a copy" in outcome.err


def test_a_folder_that_the_user_names_may_have_had_other_minutes(
    ae_cls: AeCls, started: Started, speed, tmp_path
):
    speed(7)
    words = (*OF_SAME_TIME, "study.folder=mine")
    assert ae_cls(*words).code == 0
    (tmp_path / "mine" / "study.json").write_text("{")
    started.seeds()
    for more in ((), ("--explain",)):
        outcome = ae_cls(*words, *more)
        assert outcome.code == 5 and "another study.folder" in outcome.err
    assert not started.seeds()


CHANGED: dict[str, dict[str, Any]] = {
    "no-arms": {"arms": {}},
    "no-budgets": {"budgets": []},
    "no-draws": {"draws": 0},
    "more-draws-than-asked": {"draws": 900},
    "many-frozen-draws": {"more_draws": {"2 a class": 900}},
    "repeats": {"repeats": 90},
    "epochs-of-what-has-none": {"pretrain_epochs": {"hog": 5}},
    "cells-of-nothing": {"cells": {"status": ["nobody", "0 a class"]}},
}


@pytest.mark.parametrize("how", CHANGED)
def test_a_plan_that_says_what_nobody_asked_for_is_not_followed(
    how, ae_cls: AeCls, started: Started, speed, tmp_path
):
    speed(7)
    assert ae_cls(*OF_SAME_TIME).code == 0
    started.seeds()
    path = folder_of(tmp_path) / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | CHANGED[how]))
    outcome = ae_cls(*OF_SAME_TIME, "--explain")
    assert outcome.code == 0, outcome.err
    assert "6 runs, 6 of them finished before" in outcome.err


def test_a_run_of_a_study_that_is_damaged_is_done_again(
    ae_cls: AeCls, started: Started, known_facts: None, tmp_path
):
    assert ae_cls(*WORDS).code == 0
    started.seeds()
    one, other, *_ = sorted(folder_of(tmp_path).glob("arm-*"))
    (one / "status.json").write_text("{")
    (other / "environment.json").write_text("[")
    outcome = ae_cls(*WORDS)
    assert outcome.code == 0, outcome.err
    assert len(started.seeds()) == 2


@pytest.mark.parametrize(
    "words", [["study.draws=1000", "study.seeds=1000"], ["study.repeats=100", "study.seeds=1000"]]
)
def test_more_runs_than_may_be_are_refused_before_they_are_listed(
    words, ae_cls: AeCls, known_facts: None, tmp_path, monkeypatch
):
    monkeypatch.setattr(plan, "cells_of", lambda extent: pytest.fail("they were listed"))
    monkeypatch.setattr(plan, "SMALL", 10_000 * ("repeats" in words[0]))
    for more in ((), ("study.minutes=10",)):
        outcome = ae_cls("study", *words, *more)
        assert outcome.code == 2
        assert "jobs are more than 2,000" in outcome.err and "launch.max_jobs" in outcome.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"folds": 4, "repeats": 3},
        {"more_draws": {"2 a class": 7}, "frozen": frozenset({"random", "hog"})},
        {"only": {"finetuned": frozenset({"all"})}},
    ],
)
def test_runs_are_counted_as_they_are_listed(changed):
    arms = tuple(Arm(name, (), "") for name in ("pretrained", "finetuned", "random", "hog"))
    budgets = budgets_of([2, "10%", "all"], labels=100, rarest=9, classes=3)
    extent = replace(Extent(arms, tuple(budgets), 5, seeds=2, folds=None, repeats=1), **changed)
    assert extent.count == len(cells_of(extent))


def test_a_report_shows_the_runs_of_a_study_whose_plan_is_damaged(ae_cls: AeCls, tmp_path):
    runs = made_up_sweep(tmp_path / "runs", draws=3, pretrained=0.8, random=0.5)
    (runs / "study.json").write_text("{")
    said = ae_cls("report", str(runs))
    assert said.code == 8, said.err
    assert said.out.startswith("Pretraining helps on digits")
    found, unreadable = read_runs([runs])
    assert len(found) == 12
    assert [one.folder.name for one in unreadable] == ["study.json"]


def test_a_report_names_a_run_that_is_a_link_and_does_not_follow_it(tmp_path):
    runs = made_up_sweep(tmp_path / "runs", draws=1, pretrained=0.8)
    (runs / "pretrained-10-0").rename(tmp_path / "elsewhere")
    (runs / "pretrained-10-0").symlink_to(tmp_path / "elsewhere")
    (runs / "best").symlink_to(runs / "pretrained-50-0")  # which is read anyway
    found, (link,) = read_runs([runs])
    assert [run.folder.name for run in found] == ["pretrained-50-0"]
    assert link.folder.name == "pretrained-10-0" and "it is a link" in link.why
