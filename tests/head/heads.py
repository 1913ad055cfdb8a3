"""The heads of configs/head that take any features, and data to fit them on."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import TypeAdapter
from sklearn.datasets import load_digits

from ae_cls.head import HeadChoice
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.fitted import FittedHead, Labelled

CONFIGS = Path(__file__).parents[2] / "configs" / "head"
OTHERS = {
    "finetune",
    "joint",
    "ladder",
    "m2",
    "clusters",
}  # on images, and on probabilities of clusters
WORDS = sorted({path.stem for path in CONFIGS.glob("*.yaml")} - OTHERS)
QUICK: dict[str, dict[str, Any]] = {
    "boosting": {"iterations": 30},
    "forest": {"trees": 20},
    "mlp": {"epochs": 15, "width": [128]},
}


def config(word: str, **changes: Any) -> FeatureHeadConfig:
    """The option as its YAML has it, with some values changed."""
    plain = {**yaml.safe_load((CONFIGS / f"{word}.yaml").read_text()), **changes}
    option = TypeAdapter(HeadChoice).validate_json(json.dumps(plain))
    assert isinstance(option, FeatureHeadConfig)
    return option


def quick(word: str) -> FeatureHeadConfig:
    return config(word, **QUICK.get(word, {}))


def one_setting(word: str) -> FeatureHeadConfig:
    """Nothing left to choose."""
    settings = quick(word)
    lists = {name: value[:1] for name, value in settings if isinstance(value, tuple)}
    return config(word, **{**QUICK.get(word, {}), **lists})


def fit(head: FeatureHeadConfig, train: Labelled, valid: Labelled, classes: int) -> FittedHead:
    return head.fit(train, valid, class_count=classes, choose_by="accuracy", seed=0, progress=False)


def blobs(rows: int, classes: int = 4, *, width: int = 8, seed: int = 0) -> Labelled:
    """Overlapping clouds around the same centres for every seed, of scales that differ by 1000."""
    centres = np.random.default_rng(99).normal(size=(classes, width))
    draws = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    features = centres[labels] + 0.7 * draws.normal(size=(rows, width))
    scaled = features * np.logspace(-1, 2, width) + 3
    return Labelled(scaled.astype(np.float32), labels.astype(np.int64))


@cache
def digits() -> tuple[Labelled, Labelled, Labelled]:
    """Train, valid and test."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    train, valid, test = np.split(order, [1100, 1400])
    parts = [
        Labelled(images[rows].astype(np.float32), labels[rows].astype(np.int64))
        for rows in (train, valid, test)
    ]
    return parts[0], parts[1], parts[2]


@cache
def fitted_on_digits(word: str) -> FittedHead:
    train, valid, _ = digits()
    return fit(quick(word), train, valid, 10)


@cache
def fitted_on_blobs(word: str) -> FittedHead:
    return fit(quick(word), blobs(120), blobs(40, seed=1), 4)
