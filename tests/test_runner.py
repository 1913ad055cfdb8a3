"""Whole runs on real images, small enough for every test run."""

import csv
import dataclasses
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

from ae_cls import compute
from ae_cls.compare.runs import read_finished
from ae_cls.dataset.sources.digits import DigitsConfig
from ae_cls.dataset.split import make_split
from ae_cls.errors import DataError, ModelFileError, UsageError
from ae_cls.experiment.again import words_of
from ae_cls.experiment.common import HOW, WHERE, CommonKeys
from ae_cls.experiment.descriptions import Experiment
from ae_cls.experiment.read import read_run
from ae_cls.jobs import commands
from ae_cls.run import data as prepared
from ae_cls.run import run as runner
from ae_cls.saved.model import load_classifier
from ae_cls.store.files import sha256
from ae_cls.store.manifest import FORMAT, check_files
from ae_cls.store.places import cache_folder
from tests.autoencoder.variants import VARIANTS
from tests.composed import described, experiment, needed_by, options

DRAWING = (
    "pretrain=quick", "pretrain.epochs=1", "pretrain.min_steps=2", "device=cpu", "precision=fp32",
    "threads=1",
)  # fmt: skip
# Drawing takes longer than all else of a small run: only runs whose figures are looked at draw.
QUICK = (*DRAWING, "figures=false")
SMALL_CONV = ("autoencoder.widths=[8,16]", "autoencoder.depth=1", "autoencoder.latent_dim=8")
ONE_TRIAL = ("head.C=[0.1]",)
PLAIN = ("precision=fp32", "figures=false")
RUN = (*QUICK, *SMALL_CONV, *ONE_TRIAL)
DRAWN = (*DRAWING, *SMALL_CONV, *ONE_TRIAL)


def go(tmp_path: Path, command: str, *words: str) -> runner.Result:
    description = described(command, *words).model_copy(update={"outputs": str(tmp_path)})
    return commands.COMMANDS[command](description)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> runner.Result:
    return go(tmp_path_factory.mktemp("outputs"), "run", *DRAWN)


def test_a_run_folder_is_complete(finished):
    names = {str(p.relative_to(finished.folder)) for p in finished.folder.rglob("*") if p.is_file()}
    figures = (
        "images", "reconstructions", "loss_curves", "health_curves", "latent_map",
        "confusion_matrix",
    )  # fmt: skip
    assert names >= {
        "config.json", "metrics.json", "history.jsonl", "predictions.csv", "split.npz",
        "environment.json", "status.json", "run.log", "model/model.safetensors",
        "model/config.json", "model/head.safetensors", "model/manifest.json", "manifest.json",
        *(f"figures/{name}.{kind}" for name in figures for kind in ("png", "svg")),
    }  # fmt: skip
    assert not [name for name in names if name.endswith(".tmp")]
    assert json.loads((finished.folder / "status.json").read_text()) == {
        "format": FORMAT, "state": "finished", "command": "run",
        "config_sha256": [sha256((finished.folder / "config.json").read_bytes())],
    }  # fmt: skip


def test_a_finished_run_can_be_compared(finished):
    found = read_finished(finished.folder)
    assert found.correct.mean() == pytest.approx(found.accuracy)
    assert found.is_pretrained and not found.trains_encoder
    assert found.weights > 1000 and found.seconds > 0
    assert len(found.units) == len(found.correct)
    same, ours = (
        described("run", *words).model_dump(exclude={*WHERE, *HOW})
        for words in (words_of(found.config), DRAWN)
    )
    assert same == ours


def test_config_reads_back_into_the_same_experiment(finished):
    saved = read_run(json.loads((finished.folder / "config.json").read_text()))
    assert saved == described("run", *DRAWN).model_copy(update={"outputs": saved.outputs})


def test_metrics_follow_from_the_predictions(finished):
    metrics = json.loads((finished.folder / "metrics.json").read_text())
    rows = list(csv.DictReader(io.StringIO((finished.folder / "predictions.csv").read_text())))
    assert len(rows) == metrics["test"]["n"] == metrics["protocol"]["images"]["test"]
    right = [row["label"] == row["predicted"] for row in rows]
    assert metrics["test"]["accuracy"] == pytest.approx(np.mean(right))
    for row in rows:
        chances = {name[2:]: float(chance) for name, chance in row.items() if name[:2] == "p_"}
        assert sum(chances.values()) == pytest.approx(1, abs=1e-6)
        assert max(chances, key=lambda name: chances[name]) == row["predicted"]


def test_every_number_of_the_test_part_is_found_again_in_the_predictions(finished):
    """By scikit-learn and the formula of Wilson's interval, from nothing but the table."""
    test = json.loads((finished.folder / "metrics.json").read_text())["test"]
    rows = list(csv.DictReader(io.StringIO((finished.folder / "predictions.csv").read_text())))
    names = [name[2:] for name in rows[0] if name[:2] == "p_"]
    chances = np.array([[float(row[f"p_{name}"]) for name in names] for row in rows])
    true, said = ([row[column] for row in rows] for column in ("label", "predicted"))
    right, sure = np.equal(true, said), chances.max(axis=1)
    precision, recall, f1, count = precision_recall_fscore_support(true, said, labels=names)
    z, n, share = 1.959963984540054, len(rows), right.mean()
    middle, half = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    bins = np.ceil(sure * 15)
    gaps = [abs(np.sum(right[bins == b] - sure[bins == b])) for b in np.unique(bins)]
    assert test["accuracy"] == pytest.approx(share)
    assert test["accuracy_ci95"] == pytest.approx(
        [(middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)]
    )
    assert test["balanced_accuracy"] == pytest.approx(recall.mean())
    assert test["macro_f1"] == pytest.approx(f1.mean())
    assert test["log_loss"] == pytest.approx(log_loss(true, chances, labels=names))
    assert test["ece"] == pytest.approx(sum(gaps) / n)
    assert test["majority_rate"] == pytest.approx(count.max() / n)
    assert test["confusion_matrix"] == confusion_matrix(true, said, labels=names).tolist()
    by_class = [test["per_class"][name] for name in names]
    assert [of["precision"] for of in by_class] == pytest.approx(precision)
    assert [of["recall"] for of in by_class] == pytest.approx(recall)
    assert [of["f1"] for of in by_class] == pytest.approx(f1)
    assert [of["n"] for of in by_class] == count.tolist()


def test_environment_says_where_and_how_long(finished):
    environment = json.loads((finished.folder / "environment.json").read_text())
    assert environment["device"] == "cpu"
    assert environment["precision"] == "fp32"
    assert environment["threads"] == 1
    assert environment["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert set(environment["seconds"]) == {
        "pretrain", "encode", "classify", "evaluate", "reconstruct", "figures", "report",
    }  # fmt: skip
    assert environment["peak_memory_mib"] > 100


def test_the_saved_classifier_gives_the_probabilities_of_the_run(finished):
    experiment = described("run", *RUN)
    assert isinstance(experiment, Experiment)
    ready = prepared.prepare(experiment)
    classifier = load_classifier(finished.folder, ready.compute)
    found = classifier.predict_proba(ready.images(ready.split.test))
    rows = list(csv.DictReader(io.StringIO((finished.folder / "predictions.csv").read_text())))
    written = [[float(row[f"p_{name}"]) for name in classifier.class_names] for row in rows]
    assert found == pytest.approx(np.array(written), abs=1e-8)


NUMBERS = (
    "metrics.json", "predictions.csv", "split.npz", "model/model.safetensors",
    "model/head.safetensors", "history.jsonl",
)  # fmt: skip
LATENT_MAP = "figures/latent_map.svg"


def without_times(folder: Path, *more: str) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (*NUMBERS, *more)}


def test_the_same_seed_gives_the_same_bytes_also_without_figures_and_another_seed_others(
    finished, tmp_path
):
    before = without_times(finished.folder, LATENT_MAP)
    again = go(tmp_path, "run", *RUN, "store=own")
    assert not (again.folder / "figures").exists()
    assert without_times(again.folder).items() <= before.items()
    other = without_times(go(tmp_path, "run", *DRAWN, "seed=1").folder, LATENT_MAP)
    assert all(other[name] != content for name, content in before.items())


def test_another_process_gives_the_same_bytes(finished, tmp_path):
    words = (*DRAWN, f"outputs={tmp_path}", "store=own")
    command = [Path(sys.executable).with_name("ae-cls"), "run", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.split()[-1])
    before = without_times(finished.folder, LATENT_MAP)
    assert without_times(folder, LATENT_MAP) == before


def shuffle_labels(monkeypatch, part: str) -> None:
    """Digits with the split of the true labels made official, and the labels of a part shuffled."""
    load, experiment = DigitsConfig.load, described("run", *RUN)
    assert isinstance(experiment, Experiment)

    def loaded(self):
        dataset = load(self)
        split = make_split(dataset, experiment.split, experiment.labels, experiment.seed)
        labels, rows = dataset.labels.clone(), torch.from_numpy(getattr(split, part))
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(9))
        labels[rows] = labels[rows[order]]
        return dataclasses.replace(
            dataset, labels=labels, train=split.train, valid=split.valid, test=split.test
        )

    monkeypatch.setattr(DigitsConfig, "load", loaded)


def test_shuffled_test_labels_change_no_weight(finished, tmp_path, monkeypatch):
    shuffle_labels(monkeypatch, "test")
    spoilt = go(tmp_path, "run", *RUN)
    assert spoilt.metrics["test"]["accuracy"] < 0.3 < finished.metrics["test"]["accuracy"]
    for name in ("model/model.safetensors", "model/head.safetensors"):
        assert (spoilt.folder / name).read_bytes() == (finished.folder / name).read_bytes()


def test_shuffled_training_labels_leave_the_encoder_alone_and_give_chance(
    finished, tmp_path, monkeypatch
):
    shuffle_labels(monkeypatch, "train")
    spoilt = go(tmp_path, "run", *RUN)
    assert spoilt.metrics["encoder"] == finished.metrics["encoder"]
    low, high = spoilt.metrics["test"]["accuracy_ci95"]
    assert low < 0.2
    assert high < 0.3


@pytest.mark.parametrize("name", VARIANTS)
def test_every_autoencoder_runs_to_the_end(tmp_path, name):
    description = experiment(*QUICK, f"autoencoder={name}", *ONE_TRIAL)
    small = description.autoencoder.small()
    result = runner.run(
        description.model_copy(update={"outputs": str(tmp_path), "autoencoder": small})
    )
    assert result.metrics["test"]["accuracy"] > 0.5
    if small.decodes:
        assert result.metrics["reconstruction"]["intact"]["mse"] < 1
    else:
        assert "reconstruction" not in result.metrics


def test_an_encoder_that_does_not_decode_is_pretrained_and_classified_with(tmp_path):
    first = go(tmp_path, "pretrain", *DRAWING, "autoencoder=hog")
    assert "reconstruction" not in first.metrics
    figures = {path.stem for path in (first.folder / "figures").iterdir()}
    assert "images" in figures and "reconstructions" not in figures
    second = go(tmp_path, "classify", f"encoder={first.folder}", *ONE_TRIAL, *PLAIN)
    assert second.metrics["encoder"]["weights_sha256"] == first.metrics["encoder"]["weights_sha256"]
    assert second.metrics["test"]["accuracy"] > 0.5


@pytest.mark.parametrize("name", options("head"))
def test_every_head_runs_to_the_end(tmp_path, name):
    words = {
        "linear": ONE_TRIAL,
        "svm": ("head.C=[10.0]", "head.gamma=[1.0]"),
        "forest": ("head.trees=20", "head.min_samples_leaf=[1]"),
        "mlp": ("head.epochs=10", "head.learning_rate=[0.001]"),
        "clusters": (
            "pretrain.min_steps=150",
            "autoencoder.widths=[16,32]",
            "autoencoder.latent_dim=16",
        ),
        "finetune": ("head.epochs=3", "head.min_steps=60"),
        "joint": ("head.lr=0.01", "head.min_steps=120", "head.epochs=1"),
        "ladder": ("head.lr=0.01", "head.min_steps=120", "head.epochs=1"),
        "boosting": ("head.iterations=30", "head.max_leaf_nodes=[15]"),
        "m2": ("head.lr=0.01", "head.min_steps=150", "head.batch_size=64"),
    }.get(name, ())
    words = (*needed_by(name), *words)
    result = go(tmp_path, "run", *QUICK, *SMALL_CONV, f"head={name}", *words)
    assert result.metrics["test"]["accuracy"] > 0.8
    assert ("reconstruction" in result.metrics) == (
        name not in ("finetune", "joint", "ladder", "m2")
    )
    ready = prepared.prepare(described("run", *QUICK, *SMALL_CONV, f"head={name}", *words))
    classifier = load_classifier(result.folder, ready.compute)
    accuracy = np.mean(
        classifier.predict_proba(ready.images(ready.split.test)).argmax(1)
        == ready.dataset.labels_of(ready.split.test)
    )
    assert accuracy == pytest.approx(result.metrics["test"]["accuracy"])


def test_samples_have_the_names_of_the_classes_once_a_head_has_taught_them(tmp_path):
    words = (*DRAWING, *SMALL_CONV, *needed_by("m2"))
    taught = ("head=m2", "head.epochs=1", "head.min_steps=2")
    named = go(tmp_path, "run", *words, *taught)
    own = go(tmp_path, "pretrain", *words[:-1])
    assert {"0", "9"} <= names_drawn(named.folder) and "class 1" not in names_drawn(named.folder)
    assert {"class 1", "class 10"} <= names_drawn(own.folder)


def names_drawn(folder: Path) -> set[str]:
    return set(re.findall("<!-- (.*) -->", (folder / "figures" / "samples.svg").read_text()))


@pytest.mark.parametrize("name", options("encode"))
def test_every_way_of_encoding_runs_to_the_end(tmp_path, name):
    result = go(tmp_path, "run", *RUN, f"encode={name}", *needed_by(name))
    assert result.metrics["test"]["accuracy"] > 0.3


@pytest.mark.parametrize("name", options("pretrain"))
def test_every_pretraining_runs_to_the_end(tmp_path, name):
    words = () if name == "none" else ("pretrain.epochs=1", "pretrain.min_steps=2")
    words = (f"pretrain={name}", *words, *SMALL_CONV, *ONE_TRIAL, "figures=false")
    assert go(tmp_path, "run", *words).metrics["test"]["accuracy"] > 0.5


def test_classify_takes_the_encoder_of_a_pretraining_and_gives_what_run_gives(finished, tmp_path):
    first = go(tmp_path, "pretrain", *QUICK, *SMALL_CONV)
    second = go(tmp_path, "classify", f"encoder={first.folder}", *ONE_TRIAL, *PLAIN)
    hashes = [r.metrics["encoder"]["weights_sha256"] for r in (first, second, finished)]
    assert len(set(hashes)) == 1
    assert second.metrics["test"] == finished.metrics["test"]
    saved = read_run(json.loads((second.folder / "config.json").read_text()))
    assert isinstance(saved, Experiment)
    assert saved.split.seed == 0  # the split of the pretraining, whatever the seed of the head


def test_classify_with_another_seed_keeps_the_split_of_the_encoder(tmp_path, finished):
    other = go(
        tmp_path, "classify", f"encoder={finished.folder}", *ONE_TRIAL, "seed=5", "figures=false"
    )
    assert other.metrics["protocol"]["split_sha256"] == finished.metrics["protocol"]["split_sha256"]


def test_classify_refuses_an_encoder_that_saw_labels(tmp_path):
    words = (*QUICK, *SMALL_CONV, "head=finetune", "head.epochs=1", "head.min_steps=2")
    tuned = go(tmp_path, "run", *words)
    with pytest.raises(UsageError, match="trained on labels"):
        go(tmp_path, "classify", f"encoder={tuned.folder}")


def test_classify_refuses_other_images_than_the_encoder_saw(finished, tmp_path, monkeypatch):
    load = DigitsConfig.load

    def fewer(self):
        dataset = load(self)
        return dataclasses.replace(dataset, train=dataset.train[:-10])

    monkeypatch.setattr(DigitsConfig, "load", fewer)
    with pytest.raises(DataError, match="not split as it was for this run"):
        go(tmp_path, "classify", f"encoder={finished.folder}")


def test_a_classifier_is_refused_when_a_byte_of_it_changed(finished, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for path in (finished.folder / "model").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    assert check_files(folder)
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelFileError, match="damaged"):
        load_classifier(folder, compute.resolve("cpu", "fp32"))


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("labels.per_class=10000",), "labels"),
        (("autoencoder.widths=[8,8,8,8]",), "too small"),
        (("dataset=cifar10", "dataset.root=/nowhere"), "cifar"),
        (("device=cuda:7",), "cuda"),
    ],
)
def test_what_cannot_work_is_refused_before_a_folder_is_made(tmp_path, words, what):
    if "cuda" in what and torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises((UsageError, DataError)) as refused:
        go(tmp_path, "run", *words)
    assert what in str(refused.value).lower()
    assert list(tmp_path.iterdir()) == []


def test_fewer_labels_are_fewer_labels(tmp_path):
    result = go(tmp_path, "run", *RUN, "labels.per_class=2")
    assert result.metrics["labels"]["count"] == 20
    assert set(result.metrics["labels"]["per_class"].values()) == {2}
    # The encoder still saw every training image.
    assert result.metrics["protocol"]["images"]["pretrain"] > 1000


def test_a_failing_run_leaves_its_reason(tmp_path, monkeypatch):
    def fail(*arguments, **named):
        raise RuntimeError("the sky fell")

    monkeypatch.setattr(runner, "evaluate_classifier", fail)
    with pytest.raises(RuntimeError):
        go(tmp_path, "run", *RUN)
    (status,) = tmp_path.rglob("status.json")
    assert json.loads(status.read_text())["reason"] == "RuntimeError: the sky fell"
    assert not (status.parent / "metrics.json").exists()


def test_every_command_has_a_kind_and_a_function():
    kinds = {
        word: type(described(word, *(("encoder=x",) if word == "classify" else ())))
        for word in commands.COMMANDS
    }
    assert all(issubclass(kind, CommonKeys) for kind in kinds.values())


def test_features_that_were_damaged_are_made_again_before_a_row_of_them_is_used(tmp_path, caplog):
    go(tmp_path, "run", *RUN, "labels.per_class=2")
    kept = cache_folder().rglob("features.npy")
    for path in [each for each in kept if len(np.load(each, mmap_mode="r")) > 1000]:
        stored = np.load(path, mmap_mode="r+")
        stored[:] += 1
        stored.flush()
    again = go(tmp_path, "run", *RUN, "labels.per_class=3")
    assert "encode" not in again.kept
    assert "damaged" in caplog.text
    apart = go(tmp_path, "run", *RUN, "labels.per_class=3", "store=own")
    assert again.metrics["valid"] == apart.metrics["valid"]
