"""Small data of one's own: judged by repeated folds besides."""

import json
from pathlib import Path

import pytest

from ae_cls.report.table import print_table, summary_table
from tests.composed import options
from tests.run.bars import written
from tests.run.test_budget import run


@pytest.mark.parametrize("head", options("head"))
@pytest.mark.parametrize("per_class", [2, 5])
def test_a_few_labelled_images_are_judged_by_folds_of_all_of_them(
    tmp_path: Path, head: str, per_class: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(
        tmp_path, {"coat": per_class, "bag": per_class, "boot": per_class, "one": 1}, brighter=60
    )
    words = ("split.valid_fraction=0.2",) if per_class == 2 else ()
    of_four = ("autoencoder.classes=4",) if head == "m2" else ()
    result = run(path, head, *words, *of_four)
    again = json.loads((result.folder / "metrics.json").read_text())["repeated_folds"]
    if head in {"finetune", "joint", "ladder", "m2"}:
        assert "trains the encoder" in again["left_out"]
        assert any(again["left_out"] in warning for warning in result.metrics["warnings"])
        return
    assert again["n"] == 3 * per_class and again["folds"] == min(5, per_class)
    assert again["repeats"] == (1 if head in {"boosting", "forest", "lda", "mlp", "spread"} else 5)
    assert len(again["accuracies"]) == again["folds"] * again["repeats"]
    low, high = again["accuracy_ci95"]
    assert 0 <= low < again["accuracy"] < high <= 1 or again["accuracy"] == high == 1
    assert again["never_judged"] == ["one"] and again["recall"]["one"] is None
    assert any("a class of one image: one" in text for text in result.metrics["warnings"])
    print_table(summary_table(result.metrics, {}, result.folder))
    lines = capsys.readouterr().out.splitlines()
    title = f"accuracy, {again['repeats']} x {again['folds']} folds"
    assert any(line.startswith(title) and line.endswith(f"{again['n']} images") for line in lines)


def test_they_are_the_same_each_time_and_a_budget_holds_in_each_fold(tmp_path: Path) -> None:
    path = written(tmp_path, {"coat": 12, "bag": 12, "boot": 12}, brighter=60)
    first, again = (run(path, "linear", "head.C=[0.1]").metrics for _ in range(2))
    assert first["repeated_folds"] == again["repeated_folds"]
    assert first["repeated_folds"]["labels_in_a_fit"] == pytest.approx(28.8, abs=0.1)
    few = run(path, "linear", "head.C=[0.1]", "labels.per_class=2").metrics["repeated_folds"]
    assert few["labels_in_a_fit"] == 6 and few["n"] == 36


def test_a_test_part_that_stays_closed_is_not_opened_by_folds(tmp_path: Path) -> None:
    path = written(tmp_path, {"coat": 12, "bag": 12, "boot": 12}, brighter=60)
    assert "repeated_folds" not in run(path, "knn", "test=false").metrics


def test_a_test_part_that_is_large_enough_is_enough(tmp_path: Path) -> None:
    path = written(tmp_path, {"coat": 250, "bag": 250}, brighter=60)
    assert "repeated_folds" not in run(path, "knn").metrics


def test_a_test_part_that_is_one_of_several_folds_is_not_divided_again(tmp_path: Path) -> None:
    path = written(tmp_path, {"coat": 12, "bag": 12, "boot": 12}, brighter=60)
    assert "repeated_folds" in run(path, "knn").metrics
    assert "repeated_folds" not in run(path, "knn", "split.folds=3").metrics
