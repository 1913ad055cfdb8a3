"""The head that counts labels in clusters is its formula, and no more."""

import json

import numpy as np
import pytest

from ae_cls.errors import ModelFileError
from ae_cls.head.clusters import Clusters
from ae_cls.head.contract import TOO_FEW
from ae_cls.head.fitted import FittedHead, Labelled
from tests.head.heads import config, fit


def assigned(rows: int, clusters: int = 6, classes: int = 3, seed: int = 0) -> Labelled:
    """Each class owns two clusters, in which its rows mostly are."""
    draws = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    scores = draws.normal(size=(rows, clusters))
    scores[np.arange(rows), labels + classes * draws.integers(0, 2, rows)] += 4
    shares = np.exp(scores)
    shares /= shares.sum(axis=1, keepdims=True)
    return Labelled(shares.astype(np.float32), labels.astype(np.int64))


def fitted(smoothing: float = 0.1, **changes: object) -> FittedHead:
    return fit(config("clusters", smoothing=smoothing, **changes), assigned(30), assigned(9), 4)


def test_it_is_the_formula_written_as_loops() -> None:
    train, queries = assigned(30), assigned(5, seed=1).features
    counts = np.zeros((6, 4))
    for row, label in zip(train.features, train.labels, strict=True):
        for cluster in range(6):
            counts[cluster, label] += float(row[cluster])
    classes = np.bincount(train.labels, minlength=4) / 30
    for query, found in zip(queries, fitted(0.5).predict_proba(queries), strict=True):
        expected = np.zeros(4)
        for cluster in range(6):
            share = (counts[cluster] + 0.5 * classes) / (counts[cluster].sum() + 0.5)
            expected += float(query[cluster]) * share
        assert found == pytest.approx(expected, rel=1e-5)


def test_classes_are_told_and_one_without_labels_is_never_answered() -> None:
    test = assigned(300, seed=2)
    probabilities = fitted().predict_proba(test.features)
    assert (probabilities.argmax(axis=1) == test.labels).mean() > 0.9
    assert (probabilities[:, 3] == 0).all()
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-12


def test_a_cluster_without_labels_has_the_classes_of_all() -> None:
    train = Labelled(np.eye(3, dtype=np.float32)[[0, 0, 1]], np.array([0, 0, 1]))
    head = fit(config("clusters", smoothing=0.01), train, train, 2)
    (answer,) = head.predict_proba(np.array([[0, 0, 1]], np.float32))
    assert answer == pytest.approx([2 / 3, 1 / 3])


def test_balanced_classes_weigh_alike_in_a_cluster() -> None:
    train = Labelled(np.ones((4, 1), np.float32), np.array([0, 0, 0, 1]))
    answers = [
        fit(config("clusters", class_weight=weight), train, train, 2).predict_proba(train.features)
        for weight in (None, "balanced")
    ]
    assert [answer[0, 0] for answer in answers] == pytest.approx([0.75, 0.5])


def test_a_loaded_head_predicts_the_same_bytes() -> None:
    head, features = fitted(), assigned(20, seed=3).features
    loaded = config("clusters").load(head.files())
    assert loaded.predict_proba(features).tobytes() == head.predict_proba(features).tobytes()
    assert loaded.files() == head.files()


def test_shares_that_are_none_are_refused() -> None:
    wrong = Clusters(head="clusters", facts={}, shares=np.array([[0.5, 0.6], [0.5, 0.5]]))
    with pytest.raises(ModelFileError, match="do not fit together"):
        config("clusters").load(wrong.files())


def test_the_smoothing_is_chosen_within_the_labels() -> None:
    head, train = config("clusters"), assigned(30)
    settings = {"class_count": 3, "choose_by": "accuracy", "seed": 0, "progress": False}
    facts = json.loads(json.dumps(head.fit_within(train, np.arange(30), **settings).facts))
    assert [row["smoothing"] for row in facts["trials"]] == [0.01, 0.1, 1.0]
    few = head.fit_within(train.rows(np.arange(3)), np.arange(3), **settings).facts
    assert few["chosen"] == {"smoothing": 0.1} and few["chosen_on"] == TOO_FEW
