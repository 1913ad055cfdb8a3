"""Whole runs on pictures of which one class is rare, or has one only."""

import json
from pathlib import Path

import pytest

from ae_cls.jobs.commands import COMMANDS
from ae_cls.run.run import Result
from tests.composed import described
from tests.run.bars import written

QUICK: dict[str, tuple[str, ...]] = {
    "linear": ("head.C=[0.1]",),
    "finetune": (
        "head.epochs=1", "head.min_steps=4", "autoencoder=conv", "pretrain=none",
        "autoencoder.widths=[8,8]",
    ),
}  # fmt: skip


def run(folder: Path, path: Path, head: str, *words: str) -> Result:
    description = described(
        "run", "dataset=npz", f"dataset.root={path}", "autoencoder=pixels", "encode=latent",
        f"head={head}", "device=cpu", "precision=fp32", "threads=1", "figures=false",
        *QUICK[head], *words,
    ).model_copy(update={"outputs": str(folder)})  # fmt: skip
    return COMMANDS["run"](description)


@pytest.mark.parametrize("head", QUICK)
def test_a_class_of_one_is_told_and_stops_nothing(
    tmp_path: Path, head: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, {"coat": 30, "bag": 20, "lone": 1}, brighter=80)
    words = ("head.class_weight=balanced", "labels.choose_by=macro_f1")
    result = run(tmp_path, path, head, *words)
    metrics = json.loads((result.folder / "metrics.json").read_text())
    assert "only one labelled training image: lone" in metrics["warnings"]
    assert "settings were chosen without any validation image of: lone" in metrics["warnings"]
    assert metrics["head"]["chosen_by"] == "macro_f1"
    labelled = metrics["labels"]["per_class"]
    weights = metrics["head"]["class_weight"]["weights"]
    expected = [sum(labelled.values()) / 3 / count for count in labelled.values()]
    assert weights == pytest.approx(expected)
    assert all(warning in caplog.text for warning in metrics["warnings"])
    # Both words have been said, so neither is advised; what they do to probabilities is told.
    assert not any("rare among" in warning for warning in metrics["warnings"])
    assert any("as if all classes were equally frequent" in each for each in metrics["warnings"])


def test_a_rare_class_is_told_with_what_to_type(tmp_path: Path) -> None:
    path = written(tmp_path, {"good": 120, "defect": 6}, brighter=80)
    metrics = run(tmp_path, path, "linear").metrics
    count = metrics["labels"]["per_class"]["defect"]
    total = metrics["labels"]["count"]
    assert [warning for warning in metrics["warnings"] if "rare" in warning] == [
        f"rare among {total} labelled training images: defect ({count}); to have every class count "
        "alike: head.class_weight=balanced labels.choose_by=balanced_accuracy"
    ]


def test_a_head_that_is_kept_is_not_taken_for_one_with_weights(tmp_path: Path) -> None:
    path = written(tmp_path, {"good": 40, "defect": 8}, brighter=80)
    first = run(tmp_path, path, "linear")
    again = run(tmp_path, path, "linear")
    weighed = run(tmp_path, path, "linear", "head.class_weight=balanced")
    chosen = run(tmp_path, path, "linear", "labels.choose_by=macro_f1")
    assert ["classify" in one.kept for one in (first, again, weighed, chosen)] == [
        False, True, False, False,
    ]  # fmt: skip
    assert weighed.metrics["head"]["class_weight"]["weights"][1] > 1
    assert again.metrics["head"]["class_weight"] is None
    assert "valid_macro_f1" in chosen.metrics["head"]["trials"][0]
