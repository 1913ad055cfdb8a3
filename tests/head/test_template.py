"""A new head on features is small: this one is complete, and the contract of all heads holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np
import pytest
from jaxtyping import Float32
from pydantic import Field
from scipy.special import softmax

from ae_cls.errors import ModelFileError, UsageError
from ae_cls.head.array_head import ArrayHead
from ae_cls.head.choice import Trial
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import NEVER, Features, Labelled, Probabilities
from ae_cls.head.head_files import ARRAYS, Layout, Stored
from ae_cls.settings import OneOrMore
from tests.head.heads import blobs


@final
class NearestMeanConfig(FeatureHeadConfig):
    """The class whose mean is nearest."""

    name: Literal["nearest_mean"]
    width: OneOrMore[float] = Field(
        description="of the Gaussian around each mean; the best is kept"
    )

    @property
    def fitted_type(self) -> type["NearestMean"]:
        return NearestMean

    def trials(self, task: FeatureTask) -> Iterator[Trial["NearestMean"]]:
        means = np.zeros((task.class_count, task.train.features.shape[1]), np.float32)
        bias = np.full(task.class_count, NEVER, np.float32)
        for index in task.classes:
            means[index] = task.train.features[task.train.labels == index].mean(axis=0)
            bias[index] = 0
        for width in self.width:
            head = NearestMean(
                head=self.name, facts={}, means=means / np.float32(width), bias=bias,
                scale=np.full(means.shape[1], width, np.float32),
            )  # fmt: skip
            yield Trial({"width": width}, head, head.predict_proba(task.valid.features))


@final
@dataclass(frozen=True, kw_only=True)
class NearestMean(ArrayHead):
    """softmax(-squared distance to each mean + bias)."""

    layout: ClassVar[Layout] = {
        "means": Stored(np.float32, "kd"),
        "bias": Stored(np.float32, "k"),
        "scale": Stored(np.float32, "d", positive=True),
    }
    means: Float32[np.ndarray, "k d"]
    bias: Float32[np.ndarray, " k"]
    scale: Float32[np.ndarray, " d"]

    def predict_proba(self, features: Features) -> Probabilities:
        distances = np.square((features / self.scale)[:, None] - self.means).sum(axis=2)
        return softmax((self.bias - distances).astype(np.float64), axis=1)


CONFIG = NearestMeanConfig(name="nearest_mean", width=(1.0, 10.0, 100.0))
QUERIES = blobs(40, seed=2)


def fitted(train: Labelled, *, class_count: int = 4) -> NearestMean:
    head = CONFIG.fit(train, blobs(40, seed=1), class_count=class_count, seed=0, progress=False)
    assert isinstance(head, NearestMean)
    return head


def test_it_learns_and_records_what_it_tried() -> None:
    head = fitted(blobs(80))
    probabilities = head.predict_proba(QUERIES.features)
    assert (probabilities.argmax(axis=1) == QUERIES.labels).mean() > 0.5
    assert np.allclose(probabilities.sum(axis=1), 1)
    trials = head.facts["trials"]
    assert isinstance(trials, list) and len(trials) == 3
    best = max(trials, key=lambda row: (row["valid_accuracy"], -row["valid_log_loss"]))  # type: ignore[index]
    assert head.facts["chosen"] == {"width": best["width"]}  # type: ignore[index]
    assert head.facts["labelled_rows"] == 80


def test_it_is_saved_and_loaded() -> None:
    head = fitted(blobs(80))
    loaded = CONFIG.load(head.files())
    assert loaded.predict_proba(QUERIES.features).tobytes() == (
        head.predict_proba(QUERIES.features).tobytes()
    )
    assert loaded.files() == head.files() and loaded.facts == head.facts


def test_a_class_without_labels_is_never_answered() -> None:
    train = blobs(80)
    seen = train.labels != 2
    head = fitted(Labelled(train.features[seen], train.labels[seen]), class_count=6)
    assert (head.predict_proba(QUERIES.features)[:, [2, 4, 5]] == 0).all()


def test_damaged_files_and_too_few_classes_are_refused() -> None:
    files = fitted(blobs(80)).files()
    with pytest.raises(ModelFileError):
        CONFIG.load({**files, ARRAYS: files[ARRAYS][:-1]})
    with pytest.raises(UsageError, match="at least two classes"):
        fitted(Labelled(blobs(20).features, np.full(20, 3)))
