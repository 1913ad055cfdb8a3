"""Folders of finished runs whose answers are drawn, not trained."""

import csv
import json
from pathlib import Path

import numpy as np

from ae_cls.evaluate.metrics import evaluate
from tests.composed import plain

CLASSES = ("cat", "dog <b>&", "=fish")
IMAGES = 300

HARD = np.random.default_rng(0).random(IMAGES)
"""How hard each test image is, for every run."""


def made_up_run(folder: Path, share: float, *words: str, epochs: int = 0, test: int = 0) -> Path:
    """A run that answers about this share of the test images rightly.

    Args:
        folder: to make.
        share: of right answers.
        words: of `ae-cls run`.
        epochs: of pretraining.
        test: which test part; other numbers have other images.
    """
    config = plain("run", *words)
    folder.mkdir(parents=True)
    drawn = [config["seed"], config["labels"]["draw"] or 0, round(1000 * share)]
    generator = np.random.default_rng(drawn)
    right = HARD + generator.normal(0, 0.05, IMAGES) < share + generator.normal(0, 0.005)
    labels = np.arange(IMAGES) % len(CLASSES)
    answers = np.where(right, labels, (labels + 1) % len(CLASSES))
    probabilities = np.eye(len(CLASSES))[answers] * 0.8 + 0.2 / len(CLASSES)
    per_class = config["labels"]["per_class"]
    metrics = {
        "test": evaluate(probabilities, labels, CLASSES),
        "valid": evaluate(probabilities, labels, CLASSES),
        "labels": {"count": 600 if per_class is None else per_class * len(CLASSES)},
        "protocol": {
            "data_sha256": "d" * 64, "images": {"pretrain": 900, "valid": 100, "test": IMAGES},
            "notes": ["3 of 1,300 images are copies <of> others"], "encoder_saw": "training images",
            "chosen_on": "validation",
            "leaks": {"copies": 3, "seen_in_training": {"valid": 0, "test": 1}},
        },
        "encoder": {"weights_sha256": "w"},
    }  # fmt: skip
    record = {"stage": "pretrain", "epoch": 1, "seconds": 2.0, "images_per_second": 450.0}
    environment = {
        "epochs": [record] * epochs, "seconds": {"encode": 0.5, "classify": 1.0},
        "versions": {"ae-cls": "0", "torch": "2"}, "python": "3", "git_commit": None,
        "system": "Linux", "test_read_by": 46,
    }  # fmt: skip
    for name, value in (
        ("config", config), ("metrics", metrics), ("environment", environment),
        ("status", {"state": "finished"}),
    ):  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(value))
    rows = np.arange(900, 900 + IMAGES)
    identity = np.arange(1300, dtype=np.uint64) + np.uint64(10_000 * test)
    np.savez(folder / "split.npz", test=rows, identity=identity, bonds=np.arange(1300))
    with (folder / "predictions.csv").open("w", newline="") as file:
        write = csv.writer(file).writerow
        write(["index", "label", "predicted"])
        for label, answer in zip(labels, answers, strict=True):
            write(["0", CLASSES[label], CLASSES[answer]])
    return folder


def made_up_sweep(root: Path, draws: int = 4, **shares: float) -> Path:
    """Runs of a pretrained network, of the same without, and of HOG, at two budgets.

    Args:
        root: folder for them.
        draws: of labels.
        shares: of right answers, by arm: pretrained, random, hog.
    """
    arms = {
        "pretrained": ("pretrain=quick",), "random": ("pretrain=none",),
        "hog": ("autoencoder=hog", "pretrain=none", "encode=latent"),
    }  # fmt: skip
    for arm, share in shares.items():
        for per_class, gain in ((10, 0.0), (50, 0.1)):
            for draw in range(draws):
                words = (*arms[arm], f"labels.per_class={per_class}", f"labels.draw={draw}")
                folder = root / f"{arm}-{per_class}-{draw}"
                made_up_run(folder, share + gain, *words, epochs=3 * (arm == "pretrained"))
    return root
