"""A label budget is all labels that a run reads before the test."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ae_cls.encode import Encoder
from ae_cls.experiment.descriptions import Experiment
from ae_cls.head.contract import TOO_FEW
from ae_cls.head.fitted import Labelled, Pool
from ae_cls.jobs.commands import COMMANDS
from ae_cls.processes.world import ALONE
from ae_cls.report.labels_read import labels_read
from ae_cls.run.data import Data, prepare
from ae_cls.run.run import Result
from ae_cls.run.stages import Classify, Trained
from ae_cls.store.weights import weights_sha256
from ae_cls.train.checkpoint import NoCheckpoints
from tests.composed import described, needed_by, options
from tests.run.bars import written

TRAINED = (
    "head.epochs=2", "head.min_steps=1", "autoencoder=conv", "pretrain=none",
    "autoencoder.widths=[8,8]",
)  # fmt: skip
QUICK: dict[str, tuple[str, ...]] = {
    "clusters": (*needed_by("clusters"), "pretrain=none", "autoencoder.widths=[8,8]"),
    "boosting": ("head.iterations=5",),
    "forest": ("head.trees=5",),
    "linear": ("head.C=[0.01,1.0]",),
    "svm": ("head.C=[1.0,10.0]", "head.gamma=[1.0]"),
    "mlp": ("head.epochs=4", "head.width=[16]"),
    "finetune": TRAINED,
    "joint": TRAINED,
    "ladder": TRAINED,
    "m2": (*TRAINED, *needed_by("m2"), "autoencoder.classes=3"),
}  # fmt: skip


def experiment(path: Path, head: str, *words: str) -> Experiment:
    found = described(
        "run", "dataset=npz", f"dataset.root={path}", "autoencoder=pixels", "encode=latent",
        f"head={head}", "device=cpu", "precision=fp32", "threads=1", "figures=false",
        *QUICK.get(head, ()), *words,
    ).model_copy(update={"outputs": str(path.parent)})  # fmt: skip
    assert isinstance(found, Experiment)
    return found


def run(path: Path, head: str, *words: str) -> Result:
    return COMMANDS["run"](experiment(path, head, *words))


def prepared(path: Path, head: str, *words: str) -> tuple[Experiment, Data]:
    one = experiment(path, head, *words)
    return one, prepare(one)


def fitted(one: Experiment, data: Data) -> tuple[dict[str, bytes], dict]:
    """Bytes of the head that a run would fit, without its facts, and the stage's inputs."""
    trained = Trained(data.network, weights_sha256(data.network))
    encoder = Encoder(data.network, one.encode, data.compute)

    def labelled(rows: np.ndarray) -> Labelled:
        return Labelled(encoder.features(data.images(rows)), data.dataset.labels_of(rows))

    def features() -> tuple[Labelled, Labelled | None]:
        within = one.labels.chooses_within
        return labelled(data.split.labelled), None if within else labelled(data.split.valid)

    def pool() -> Pool:
        split = data.split
        every = encoder.features(data.images(split.pretrain))
        return Pool.of(every, np.searchsorted(split.pretrain, split.labelled))

    stage = Classify(one, data, trained, features, pool)
    learned = one.head.classify(stage._task(NoCheckpoints(), ALONE))
    return learned.classifier.head.files(), stage.inputs()


def with_other_labels_in_validation(data: Data) -> Data:
    labels = data.dataset.labels.clone()
    valid = torch.from_numpy(data.split.valid)
    labels[valid] = (labels[valid] + 1) % len(data.dataset.class_names)
    return replace(data, dataset=replace(data.dataset, labels=labels))


@pytest.mark.parametrize("head", options("head"))
def test_no_label_outside_the_budget_changes_the_head_or_its_key(tmp_path: Path, head: str) -> None:
    path = written(tmp_path, {"coat": 40, "bag": 40, "boot": 40}, brighter=60)
    one, data = prepared(path, head, "labels.per_class=4")
    other = with_other_labels_in_validation(data)
    assert fitted(one, data) == fitted(one, other)


@pytest.mark.parametrize("head", options("head"))
def test_the_other_regime_reads_the_labels_of_validation(tmp_path: Path, head: str) -> None:
    path = written(tmp_path, {"coat": 40, "bag": 40, "boot": 40}, brighter=60)
    one, data = prepared(path, head, "labels.per_class=4", "labels.choose=validation")
    before, after = fitted(one, data), fitted(one, with_other_labels_in_validation(data))
    assert before[1]["valid"] != after[1]["valid"]
    facts = json.loads(before[0]["head.json"])["facts"]
    assert facts["chosen_on"] == f"{len(data.split.valid)} validation labels"
    if not one.head.trains_encoder:  # its scores stand in the history
        assert facts["trials"] != json.loads(after[0]["head.json"])["facts"]["trials"]


@pytest.mark.parametrize(
    ("words", "regime", "chosen_on"),
    [
        (("labels.per_class=4",), "within", "4 folds of 12 labels"),
        (("labels.count=12",), "within", "4 folds of 12 labels"),
        (("labels.per_class=1",), "within", TOO_FEW),
        (("labels.per_class=4", "labels.choose=validation"), "validation", "14 validation labels"),
        ((), "validation", "14 validation labels"),
        (("labels.choose=within",), "within", "5 folds of 130 labels"),
    ],
)
def test_the_protocol_says_how_many_labels_were_read_for_what(
    tmp_path: Path, words: tuple[str, ...], regime: str, chosen_on: str
) -> None:
    path = written(tmp_path, {"coat": 60, "bag": 60, "boot": 60}, brighter=60)
    result = run(path, "knn", "head.neighbours=[1,3]", *words)
    metrics = json.loads((result.folder / "metrics.json").read_text())
    assert metrics["protocol"]["chosen_on"] == chosen_on
    assert metrics["protocol"]["labels"] == {
        "regime": regime,
        "fit": metrics["labels"]["count"],
        "choose": 14 if regime == "validation" else 0,
        "evaluated": {"valid": 14, "test": 36},
    }
    assert result.metrics["valid"]["n"] == 14


def test_fine_tuning_within_keeps_to_its_schedule(tmp_path: Path) -> None:
    path = written(tmp_path, {"coat": 40, "bag": 40, "boot": 40}, brighter=60)
    result = run(path, "finetune", "labels.per_class=4", "head.patience=1")
    lines = (result.folder / "history.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    assert [record["epoch"] for record in history] == [1, 2]
    assert all(record["best"] and not record["valid"] for record in history)
    assert "schedule" in result.metrics["protocol"]["chosen_on"]
    assert "head.patience=1 has no effect" in (result.folder / "run.log").read_text()


@pytest.mark.parametrize(
    ("head", "is_marked"),
    [("spread", True), ("joint", True), ("ladder", True), ("m2", True), ("linear", False)],
)
def test_a_head_that_learns_from_images_without_a_label_is_marked(
    tmp_path: Path, head: str, is_marked: bool
) -> None:
    path = written(tmp_path, {"coat": 40, "bag": 40, "boot": 40}, brighter=60)
    metrics = run(path, head, "labels.per_class=4", "test=false").metrics
    unlabelled = metrics["protocol"]["images"]["pretrain"] - 12
    assert unlabelled > 0
    said = metrics["protocol"].get("head_saw")
    assert said == (
        f"also {unlabelled} training images without their labels" if is_marked else None
    )
    assert labels_read(metrics) == ("12 u" if is_marked else "12")
