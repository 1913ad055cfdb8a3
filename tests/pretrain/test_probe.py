"""The probe while pretraining: what it reads, what it says, and which weights stay."""

import json
import math

import numpy as np
import pytest
import torch

from ae_cls.compute import Compute
from ae_cls.dataset.rows import LabelledImages
from ae_cls.encode import LatentConfig
from ae_cls.encode.probe import RidgeProbe
from ae_cls.errors import UsageError
from ae_cls.evaluate.ridge import ridge_accuracy
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.pretrain.gradient import GradientPretraining
from ae_cls.run import run as runner
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.run.data import prepare
from ae_cls.run.scores import protocol
from ae_cls.store.weights import weights_bytes
from ae_cls.train.checkpoint import Checkpoints, NoCheckpoints
from ae_cls.train.record import EpochRecord, kept
from ae_cls.train.task import TrainTask
from tests.autoencoder.variants import table, unit, variant
from tests.composed import described
from tests.train.test_resume import StopsAt

CPU = Compute(torch.device("cpu"), "fp32")
IMAGES, VALID = table((1, 8, 8), 30), table((1, 8, 8), 10)
SMALL = ("pretrain=quick", "pretrain.batch_size=8", "pretrain.min_steps=1", "pretrain.epochs=4")


def schedule(*words: str) -> GradientPretraining:
    found = described("run", *SMALL, *(f"pretrain.{word}" for word in words))
    assert isinstance(found, Experiment) and isinstance(found.pretrain, GradientPretraining)
    return found.pretrain


def train(
    *words: str, accuracies: list[float] | None = None, checkpoints: Checkpoints | None = None
) -> tuple[bytes, list[EpochRecord], list[bytes]]:
    """Weights, history, and the weights at each probe, which says what `accuracies` say."""
    model, probed = variant("conv", (1, 8, 8)), list[bytes]()
    task = TrainTask(IMAGES, VALID, False, 0, CPU, checkpoints or NoCheckpoints())
    left = iter(accuracies or ())

    def probe(network) -> float:
        probed.append(weights_bytes(network))
        return next(left)

    history = schedule(*words).fit(model, task, probe if accuracies else None)
    return weights_bytes(model), history, probed


def test_a_probe_that_only_watches_changes_no_byte():
    plain, history, _ = train()
    watched, seen, probed = train("probe_every=2", accuracies=[0.5, 0.25])
    assert plain == watched and len(probed) == 2
    assert [record.probe for record in seen] == [None, 0.5, None, 0.25]
    assert [record.as_dict().get("probe") for record in history] == [None] * 4
    assert [record.valid for record in seen] == [record.valid for record in history]


@pytest.mark.parametrize(("keep", "epoch"), [("last", 4), ("best_loss", None), ("best_probe", 2)])
def test_the_weights_that_stay_are_those_that_were_asked_for(keep, epoch):
    words = ("probe_every=1", f"keep={keep}", "lr=0.05")
    weights, history, probed = train(*words, accuracies=[0.5, 0.75, 0.75, 0.25])
    losses = [record.valid["loss"] for record in history]
    expected = epoch or losses.index(min(losses)) + 1
    assert weights == probed[expected - 1]
    last = kept(history)
    assert last is not None and history.index(last) == expected - 1


def test_the_last_weights_stay_whatever_patience_says():
    _, history, _ = train("keep=last", "patience=1", "lr=0.5")
    assert len(history) == 4


def test_patience_waits_for_a_better_probe():
    words = ("probe_every=1", "keep=best_probe", "patience=1")
    _, history, _ = train(*words, accuracies=[0.5, 0.4])
    assert len(history) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("pretrain.keep=best_probe",),
        ("pretrain.keep=best_probe", "pretrain.probe_every=5", "pretrain.epochs=4"),
        ("pretrain.keep=best_probe", "pretrain.probe_every=3", "pretrain.patience=2"),
    ],
)
def test_a_choice_by_a_probe_that_may_never_come_is_refused(words):
    with pytest.raises(UsageError, match="mistake in the config"):
        described("run", *words)


@pytest.mark.parametrize("step", [5, 8, 10])
def test_a_stop_changes_no_byte_of_a_probed_training(tmp_path, step):
    accuracies, words = [0.5, 0.75, 0.25, 0.5], ("probe_every=1", "keep=best_probe")
    weights, history, _ = train(*words, accuracies=accuracies)
    folder = CheckpointFolder(tmp_path, of="a", every=math.inf)
    with pytest.raises(KeyboardInterrupt):
        train(*words, accuracies=accuracies, checkpoints=StopsAt(folder, step))
    newest = folder.newest()
    assert newest is not None
    left = accuracies[len(newest.facts.history) :]
    again, whole, _ = train(*words, accuracies=left, checkpoints=folder)
    assert again == weights
    lines = [[json.dumps(record.as_dict()) for record in records] for records in (history, whole)]
    assert lines[0] == lines[1]


def test_a_probe_reads_the_images_it_is_given_as_the_run_encodes_them():
    labels, units = np.arange(30) % 3, np.arange(30)
    probe = RidgeProbe(LatentConfig(name="latent"), LabelledImages(IMAGES, labels), units, CPU)
    model = variant("conv", (1, 8, 8)).eval()
    with torch.inference_mode():
        codes = model.encode(unit(IMAGES)).numpy()
    assert probe.accuracy(model.train()) == ridge_accuracy(codes, labels, units)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), {"keep": "best_loss", "probe_every": None}),
        (
            ("pretrain.keep=best_probe", "pretrain.probe_every=1"),
            {"keep": "best_probe", "probe_every": 1},
        ),
        (("pretrain=none",), None),
        (("autoencoder=pca",), None),
    ],
)
def test_the_protocol_says_what_decided_which_weights_stay(words, said):
    found = described("run", "device=cpu", *words)
    assert isinstance(found, Experiment)
    facts = protocol(found, prepare(found))
    assert facts.get("pretraining") == said
    assert ("chose the epoch" in facts["encoder_saw"]) == ("pretrain.keep=best_probe" in words)


def test_pretraining_alone_refuses_a_probe_before_it_reads_data(monkeypatch):
    monkeypatch.setattr(runner, "prepare", lambda _: pytest.fail("data were read"))
    found = described("pretrain", "pretrain.probe_every=1")
    assert isinstance(found, Pretraining)
    with pytest.raises(UsageError, match="reads no labels"):
        runner.pretrain(found)
