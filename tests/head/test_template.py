"""A new head on features is small: this one is complete, and the contract of all heads holds."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np
import pytest
from jaxtyping import Float32, Float64
from pydantic import Field
from scipy.special import softmax

from ae_cls.errors import ModelFileError, UsageError
from ae_cls.head.array_head import ArrayHead
from ae_cls.head.choice import Trial
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import NEVER, Features, Labelled, Probabilities
from ae_cls.head.head_files import ARRAYS, Layout, Stored
from ae_cls.head.standardise import MEAN_AND_SCALE, Standardiser
from ae_cls.settings import OneOrMore
from tests.head.heads import blobs


@final
class NearestMeanConfig(FeatureHeadConfig):
    """The class whose mean is nearest; class weights change nothing, as means know no numbers."""

    name: Literal["nearest_mean"]
    temperature: OneOrMore[float] = Field(description="of the distances; the best is kept")

    @property
    def fitted_type(self) -> type["NearestMean"]:
        return NearestMean

    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        standardiser = Standardiser.fit(task.train.features)
        table = standardiser.apply(task.train.features)
        means = np.zeros((task.class_count, table.shape[1]), np.float32)
        bias = np.full(task.class_count, NEVER, np.float32)
        for index in task.classes:
            means[index], bias[index] = table[task.train.labels == index].mean(axis=0), 0
        for temperature in self.temperature:
            head = NearestMean(
                head=self.name, facts={}, mean=standardiser.mean, scale=standardiser.scale,
                means=means, bias=bias, temperature=np.array(temperature),
            )  # fmt: skip
            probabilities = head.predict_proba(task.held.features)
            yield Trial({"temperature": temperature}, head, probabilities)


@final
@dataclass(frozen=True, kw_only=True)
class NearestMean(ArrayHead):
    """softmax(-squared distance to each mean / temperature + bias)."""

    layout: ClassVar[Layout] = {
        **MEAN_AND_SCALE,
        "means": Stored(np.float32, "kd"),
        "bias": Stored(np.float32, "k"),
        "temperature": Stored(np.float64, "", positive=True),
    }
    mean: Float32[np.ndarray, " d"]
    scale: Float32[np.ndarray, " d"]
    means: Float32[np.ndarray, "k d"]
    bias: Float32[np.ndarray, " k"]
    temperature: Float64[np.ndarray, ""]

    def predict_proba(self, features: Features) -> Probabilities:
        table = Standardiser(self.mean, self.scale).apply(features)
        distances = np.square(table[:, None] - self.means).sum(axis=2)
        return softmax(self.bias - distances / float(self.temperature), axis=1).astype(np.float64)


CONFIG = NearestMeanConfig(name="nearest_mean", class_weight=None, temperature=(0.1, 1.0, 10.0))
QUERIES = blobs(40, seed=2)


def fitted(train: Labelled, *, class_count: int = 4) -> NearestMean:
    head = CONFIG.fit(
        train,
        blobs(40, seed=1),
        class_count=class_count,
        choose_by="accuracy",
        seed=0,
        progress=False,
    )
    assert isinstance(head, NearestMean)
    return head


def test_it_learns_and_records_what_it_tried() -> None:
    head = fitted(blobs(80))
    probabilities = head.predict_proba(QUERIES.features)
    assert (probabilities.argmax(axis=1) == QUERIES.labels).mean() > 0.8
    assert np.allclose(probabilities.sum(axis=1), 1)
    facts = json.loads(json.dumps(dict(head.facts)))
    assert [row["temperature"] for row in facts["trials"]] == [0.1, 1.0, 10.0]
    best = max(facts["trials"], key=lambda row: (row["valid_accuracy"], -row["valid_log_loss"]))
    assert facts["chosen"] == {"temperature": best["temperature"]}
    assert facts["labelled_rows"] == 80


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
