"""From finished runs to a verdict: pairs, claims, and words that the claims allow."""

from pathlib import Path

import numpy as np
import pytest

from ae_cls.compare.runs import read_runs
from ae_cls.compare.sentences import further_sentences, headline, outcome
from ae_cls.compare.verdict import Verdict, verdict
from ae_cls.errors import UsageError
from ae_cls.experiment.again import words_of
from tests.cli.conftest import with_hydra
from tests.compare.made_up import made_up_run, made_up_sweep

pytestmark = with_hydra


def verdict_on(folder: Path) -> Verdict:
    runs, unreadable = read_runs([folder])
    assert not unreadable
    return verdict(runs, words=words_of)


def test_pretraining_that_beats_every_control_helps(tmp_path):
    found = verdict_on(made_up_sweep(tmp_path, pretrained=0.8, random=0.6, hog=0.7))
    assert headline(found).startswith("Pretraining helps on digits: with 10 labels a class, ")
    assert "with the best alternative (hog)" in headline(found)
    assert [row.rank for row in found.rows] == [1, 2, 3, 1, 2, 3]
    worth = found.worth["10 a class"]
    assert worth.is_evidence and worth.low is not None and worth.low > worth.labels


def test_a_control_that_wins_is_what_to_use(tmp_path):
    found = verdict_on(made_up_sweep(tmp_path, pretrained=0.6, random=0.5, hog=0.8))
    assert headline(found).startswith("Use hog on digits")
    more = " ".join(further_sentences(found))
    assert "Pretraining does help this network: with 10 labels a class, " in more


def test_what_helps_the_network_alone_is_said_so(tmp_path):
    found = verdict_on(made_up_sweep(tmp_path, pretrained=0.7, random=0.5, hog=0.7))
    one = outcome(found, "10 a class")
    assert one is not None and one.kind == "twin"
    assert headline(found).startswith("Pretraining helps this network on digits")


def test_no_difference_is_not_called_one(tmp_path):
    found = verdict_on(made_up_sweep(tmp_path, pretrained=0.702, random=0.7, hog=0.701))
    said = " ".join([headline(found), *further_sentences(found)])
    assert "cannot be told" in said and "helps" not in headline(found).split("cannot")[1]
    assert {row.rank for row in found.rows} == {1}
    assert "more draws" in said.lower()


def test_two_draws_are_too_few_whatever_they_say(tmp_path):
    found = verdict_on(made_up_sweep(tmp_path, draws=2, pretrained=0.9, random=0.4, hog=0.5))
    assert headline(found).startswith("Too few runs for a verdict on digits")
    assert {one.claim.word for one in found.versus} == {"cannot be told apart"}


def test_runs_without_a_partner_say_what_the_nearest_differ_in(tmp_path):
    made_up_sweep(tmp_path, pretrained=0.8, random=0.6)
    made_up_run(tmp_path / "seed", 0.8, "pretrain=quick", "labels.per_class=10", "labels.draw=0",
                "seed=9", epochs=3)  # fmt: skip
    made_up_run(tmp_path / "test", 0.8, "pretrain=quick", "labels.per_class=10", "labels.draw=0",
                epochs=3, test=1)  # fmt: skip
    why = {one.folder.name: one.why for one in verdict_on(tmp_path).unpaired}
    assert why == {
        "seed": "the nearest run of another way has another seed",
        "test": "the nearest run of another way has other test images",
    }


def test_splits_of_a_small_set_are_compared_split_by_split(tmp_path):
    for arm, share, epochs in (("quick", 0.8, 3), ("none", 0.6, 0)):
        for seed in range(5):
            made_up_run(tmp_path / f"{arm}-{seed}", share, f"pretrain={arm}", f"seed={seed}",
                        epochs=epochs, test=seed)  # fmt: skip
    found = verdict_on(tmp_path)
    (one,) = found.versus
    # Test parts of a fifth: a quarter as many rows as are left for learning.
    spread = np.var([0.2] * 5)
    assert one.comparison.pairs == 5 and one.comparison.flips_p is None
    assert one.comparison.of_draws > spread
    assert headline(found).startswith("Pretraining helps on digits: with all labels")


def test_arms_of_a_study_have_its_names(tmp_path):
    made_up_sweep(tmp_path, pretrained=0.8, random=0.6)
    cells = {path.name: [path.name.split("-")[0], "?"] for path in tmp_path.iterdir()}
    (tmp_path / "study.json").write_text(str({"cells": cells}).replace("'", '"'))
    assert [arm.name for arm in verdict_on(tmp_path).arms] == ["pretrained", "random"]


def test_what_is_no_finished_run_is_named(tmp_path):
    good = made_up_run(tmp_path / "good", 0.8, "pretrain=none")
    for name, file, content in (
        ("stopped", "status.json", '{"state": "interrupted"}'),
        ("cut", "metrics.json", '{"test": {'),
        ("short", "predictions.csv", "index,label,predicted\n0,cat,cat\n"),
    ):
        broken = made_up_run(tmp_path / name, 0.8, "pretrain=none")
        (broken / file).write_text(content)
    runs, unreadable = read_runs([tmp_path])
    assert [run.folder for run in runs] == [good]
    why = {one.folder.name: one.why for one in unreadable}
    assert why["stopped"] == "it is not finished: interrupted"
    assert why["short"] == "predictions.csv has 1 rows for 300 test images"
    assert why["cut"].startswith("metrics.json: this file is not as ae-cls writes it")
    with pytest.raises(UsageError, match="no such folder"):
        read_runs([tmp_path / "elsewhere"])
