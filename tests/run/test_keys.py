"""A stage's key changes with what the stage reads, and with nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ae_cls.experiment.descriptions import Experiment
from ae_cls.run import program, stage
from ae_cls.run.data import Data, prepare
from ae_cls.run.stages import Classify, Encode, Figures, Pretrain, Reconstruct, Trained, no_features
from ae_cls.store.key import flat
from tests.composed import described

WORDS = ("device=cpu", "precision=fp32", "autoencoder.widths=[8,8]", "labels.per_class=5")

READS = {
    "pretrain": {"autoencoder", "pretrain", "seed", "precision", "split"},
    "encode": {"autoencoder", "encode", "precision", "split", "seed"},
    "classify": {"autoencoder", "encode", "head", "seed", "precision", "split", "labels"},
}
"""Parts of a config that each stage reads; the seed also draws split and labels."""

NEVER_READ = {
    "outputs", "folder", "store", "checkpoint_seconds", "threads", "devices", "device", "dataset",
    "test", "figures",
}  # fmt: skip
"""Where things are kept; the last bit (`threads`, `devices`); what is hashed or resolved;
what comes after (`test`, `figures`)."""


@pytest.fixture(scope="module", autouse=True)
def empty_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One store for this module: keys do not depend on what is kept, and copies are found once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AE_CLS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def keys(experiment: Experiment, data: Data | None = None) -> dict[str, str]:
    data = data or prepare(experiment)
    trained = Trained(data.network, "weights")
    stages = [
        Pretrain(experiment, data),
        Encode(experiment, data, trained, "train"),
        Classify(experiment, data, trained, no_features, no_features),
    ]
    return {stage.name: stage.key().name for stage in stages}


def base(*words: str) -> Experiment:
    found = described("run", *WORDS, *words)
    assert isinstance(found, Experiment)
    return found


CHANGED: dict[str, Any] = {
    "seed": 1, "split.valid_fraction": 0.2, "split.test_fraction": 0.3, "split.seed": 5,
    "split.folds": 3, "split.fold": None, "split.pretrain_on": None,
    "labels.per_class": 6, "labels.fraction": None, "labels.count": None, "labels.draw": 3,
    "labels.choose": "validation", "labels.choose_by": "macro_f1",
    "autoencoder.widths": [8, 16], "autoencoder.depth": 1, "autoencoder.latent_dim": 4,
    "autoencoder.code_cells": 1, "autoencoder.target": "hog", "autoencoder.hog_weight": 2.0,
    "autoencoder.centres": 8,
    "autoencoder.decoder_width": 8, "autoencoder.patch": 1, "autoencoder.principal_path": False,
    "pretrain.epochs": 7, "pretrain.batch_size": 9, "pretrain.min_steps": 3,
    "pretrain.optimiser": "adam", "pretrain.lr": 0.5, "pretrain.warm_up": 0.5,
    "pretrain.weight_decay": 0.5, "pretrain.clip": 0.5, "pretrain.patience": 9,
    "pretrain.probe_every": 2, "pretrain.keep": "last",
    "encode.grid": 2, "head.C": [0.5], "head.class_weight": "balanced",
    "precision": "bf16", "threads": 1, "devices": 2, "outputs": "elsewhere", "folder": "elsewhere",
    "store": "own", "checkpoint_seconds": 1.0, "test": False,
    "figures": False,
}  # fmt: skip


def words_of(experiment: Experiment) -> list[str]:
    """All keys with a number, a word or a list that a user may change."""
    given = flat(experiment.model_dump(mode="json"))
    hidden = ("dataset.", "autoencoder.corruption.", "pretrain.augment.")
    return [key for key in given if not key.endswith("name") and not key.startswith(hidden)]


def test_the_table_of_changes_has_every_key():
    unknown = set(words_of(base())) - set(CHANGED) - {"device", "head.max_steps"}
    assert unknown <= {key for key in unknown if key.startswith("head.")}, unknown


@pytest.mark.parametrize("key", sorted(CHANGED))
def test_a_key_changes_exactly_the_stages_that_read_it(key):
    value = CHANGED[key]
    if value is None:
        pytest.skip("excluded by another key; the draw of rows is hashed whatever makes it")
    text = str(value).replace(" ", "").replace("'", "")
    before, now = keys(base()), keys(base(f"{key}={text}"))
    changed = {stage for stage in before if before[stage] != now[stage]}
    part = key.partition(".")[0]
    if part in NEVER_READ:
        assert changed == set()
    elif key == "seed":
        assert changed == {"pretrain", "encode", "classify"}
    else:
        assert changed == {stage for stage, parts in READS.items() if part in parts}


def changed_by(**changes: Any) -> set[str]:
    """The stages whose key differs when data, network hardware or code are others."""
    experiment = base()
    data = prepare(experiment)
    before, now = keys(experiment, data), keys(experiment, replace(data, **changes))
    return {stage for stage in before if before[stage] != now[stage]}


def test_another_pixel_changes_all_stages():
    data = prepare(base())
    other = replace(data.dataset, images_sha256="0" * 64)
    assert changed_by(dataset=other) == {"pretrain", "encode", "classify"}


def test_another_label_changes_classification_alone():
    data = prepare(base())
    labels = data.dataset.labels.clone()
    row = int(data.split.labelled[0])
    labels[row] = (labels[row] + 1) % 10
    assert changed_by(dataset=replace(data.dataset, labels=labels)) == {"classify"}


def test_another_label_or_encoding_changes_pretraining_only_where_a_probe_reads_it():
    def pretraining(*words: str, labels: int = 5) -> str:
        return keys(base(*words, f"labels.per_class={labels}"))["pretrain"]

    for word in ("pretrain.probe_every=null", "pretrain.keep=last"):
        assert pretraining(word) == pretraining(word, labels=6)
        assert pretraining(word) == pretraining(word, "encode=latent")
    for word in ("pretrain.probe_every=2", "pretrain.probe_every=1 pretrain.keep=best_probe"):
        assert pretraining(*word.split()) != pretraining(*word.split(), labels=6)
        assert pretraining(*word.split()) != pretraining(*word.split(), "encode=latent")


def test_a_label_beyond_the_budget_is_not_among_what_a_probe_reads():
    experiment = base("pretrain.probe_every=1")
    data = prepare(experiment)
    labels = (data.dataset.labels + 1) % 10
    shown = data.split.labelled
    labels[shown] = data.dataset.labels[shown]
    other = replace(data, dataset=replace(data.dataset, labels=labels))
    assert keys(experiment, data)["pretrain"] == keys(experiment, other)["pretrain"]
    labels[shown[0]] += 1 if labels[shown[0]] == 0 else -1
    assert keys(experiment, data)["pretrain"] != keys(experiment, other)["pretrain"]


def test_the_name_of_a_data_set_changes_nothing():
    data = prepare(base())
    assert changed_by(dataset=replace(data.dataset, name="other")) == set()


def test_another_device_changes_all_stages():
    data = prepare(base())
    other = replace(data.compute, device=torch.device("cuda"))
    assert changed_by(compute=other) == {"pretrain", "encode", "classify"}


def test_other_initial_weights_change_pretraining_alone():
    experiment = base()
    data, other = prepare(experiment), prepare(base("seed=1")).network
    assert changed_by(network=other) == {"pretrain"}
    assert keys(experiment, data) == keys(experiment, prepare(experiment))


@pytest.mark.parametrize("what", ["format", "torch", "program"])
def test_another_version_or_program_text_changes_all_stages(monkeypatch, what):
    before = keys(base())
    match what:
        case "format":
            monkeypatch.setattr(stage, "FORMAT", 99)
        case "torch":
            monkeypatch.setattr(stage, "version", lambda name: "99")
        case "program":
            monkeypatch.setattr(stage, "program_sha256", lambda *computing: "other")
    assert all(before[stage] != name for stage, name in keys(base()).items())


def test_images_are_hashed_alike_in_memory_and_in_a_file(tmp_path):
    from ae_cls.dataset.fingerprint import images_sha256
    from ae_cls.dataset.stored import StoredImages

    images = np.random.default_rng(0).integers(0, 256, (9000, 1, 4, 4)).astype(np.uint8)
    np.save(tmp_path / "images.npy", images)
    in_memory = images_sha256(torch.from_numpy(images))
    assert in_memory == images_sha256(StoredImages(tmp_path / "images.npy"))
    images[8999, 0, 3, 3] ^= 1
    assert in_memory != images_sha256(torch.from_numpy(images))


def closures(*words: str) -> dict[str, set[str]]:
    """The modules whose text is part of the key of each stage."""
    experiment = base(*words)
    data = prepare(experiment)
    trained = Trained(data.network, "weights")
    stages = [
        Pretrain(experiment, data), Encode(experiment, data, trained, "train"),
        Classify(experiment, data, trained, no_features, no_features),
        Reconstruct(experiment, data, trained), Figures(experiment, data, trained),
    ]  # fmt: skip
    return {
        stage.name: program.closure({item.__module__ for item in (type(stage), *stage.program())})
        for stage in stages
    }


def test_the_program_text_of_a_stage_is_that_of_what_it_uses():
    found = closures()
    for name in ("autoencoder.conv", "autoencoder.contract", "autoencoder.parts.blocks", "draws"):
        assert all(f"ae_cls.{name}" in modules for modules in found.values())
    assert {"ae_cls.pretrain.gradient", "ae_cls.train.loop"} <= found["pretrain"]
    assert {"ae_cls.encode.multiscale", "ae_cls.encode.pooling"} <= found["encode"]
    assert {"ae_cls.head.linear", "ae_cls.head.choice"} <= found["classify"]
    assert "ae_cls.report.figures.latents" in found["figures"]


def test_the_text_of_other_options_is_not():
    variants = {f"ae_cls.autoencoder.{name}" for name in ("vae", "deep", "pca", "textbook")}
    heads = {
        f"ae_cls.head.{name}"
        for name in (
            "knn",
            "mlp",
            "forest",
            "boosting",
            "lda",
            "spread",
            "finetune",
            "joint",
            "ladder",
            "m2",
            "clusters",
        )
    }
    others = variants | heads | {"ae_cls.autoencoder", "ae_cls.head", "ae_cls.encode.pooled"}
    for name_of_stage, modules in closures().items():
        assert not modules & others, name_of_stage
        assert not [name for name in modules if name.startswith(("ae_cls.cli", "ae_cls.jobs"))]


def test_a_changed_text_changes_the_stages_that_use_it(monkeypatch):
    before = keys(base())
    module = "ae_cls.encode.multiscale"
    monkeypatch.setitem(program._TEXTS, module, program._TEXTS[module] + b"# another formula\n")
    program._sha256.cache_clear()
    now = keys(base())
    program._sha256.cache_clear()
    assert {stage for stage in before if before[stage] != now[stage]} == {"encode", "classify"}
