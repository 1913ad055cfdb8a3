"""Class weights: their numbers, what each head makes of them, and that they help a rare class."""

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import LinearSVC
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from ae_cls.draws import derive_seed
from ae_cls.head.class_weight import class_weights, weighed_cross_entropy
from ae_cls.head.fitted import FittedHead, Labelled
from ae_cls.head.standardise import Standardiser
from tests.head.heads import WORDS, blobs, config, digits, fit

SMALL: dict[str, dict[str, Any]] = {
    "linear": {"C": [0.01]},
    "lda": {},
    "boosting": {"iterations": 10, "max_leaf_nodes": [7]},
    "svm": {"C": [1.0], "gamma": [0.3]},
    "knn": {"neighbours": [10]},
    "spread": {"neighbours": [10], "alpha": [0.9]},
    "forest": {"trees": 20, "min_samples_leaf": [5]},
    "mlp": {"epochs": 8, "width": [32], "learning_rate": [0.003], "batch_size": 64},
}
"""One setting a head, soon fitted, with which a rare class can be missed."""
GAIN = {"lda": (0.1, 0.005)}
"""Of recall of a rare digit, and of balanced accuracy. Less for classes that share a covariance:
the frequent ones say the most of it, so a rare one is missed less often in the first place."""
RARE = 8  # the digit, and how many rows of it are left


def thinned(part: Labelled, rare: int, most: int) -> Labelled:
    """The rows of a class but for the first few are gone."""
    gone = np.flatnonzero(part.labels == rare)[most:]
    return Labelled(np.delete(part.features, gone, axis=0), np.delete(part.labels, gone))


def even(rows: int, classes: int = 4) -> Labelled:
    return blobs(rows // classes * classes, classes)


@cache
def fitted(word: str, weight: str | None) -> FittedHead:
    train, valid, _ = digits()
    small = Labelled(train.features[:700], train.labels[:700])
    return fit(config(word, **SMALL[word], class_weight=weight), thinned(small, RARE, 8), valid, 10)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60))
def test_weights_are_those_of_scikit_learn_and_have_the_mean_one(classes: list[int]) -> None:
    labels = np.array(classes)
    weights, seen = class_weights("balanced", labels, 7), np.unique(labels)
    expected = compute_class_weight("balanced", classes=seen, y=labels)
    if weights is None:
        assert np.array_equal(expected, np.ones(len(seen)))
    else:
        assert weights[seen] == pytest.approx(expected)
        assert weights[labels].mean() == pytest.approx(1)
        assert not np.delete(weights, seen).any()
    assert class_weights(None, labels, 7) is None


@pytest.mark.parametrize("classes", [2, 4])
def test_linear_is_scikit_learn_with_its_own_weights(classes: int) -> None:
    train, valid = thinned(blobs(200, classes), 1, 6), blobs(40, classes, seed=1)
    exact = {"tolerance": 1e-12, "max_steps": 5000}
    head = fit(config("linear", C=[0.1], class_weight="balanced", **exact), train, valid, classes)
    standardiser = Standardiser.fit(train.features)
    # With two classes ours has a vector for each, which amounts to twice the C.
    theirs = LogisticRegression(
        C=0.2 if classes == 2 else 0.1, class_weight="balanced", tol=1e-10, max_iter=10_000
    ).fit(standardiser.apply(train.features).astype(np.float64), train.labels)
    expected = theirs.predict_proba(standardiser.apply(valid.features).astype(np.float64))
    assert np.abs(head.predict_proba(valid.features) - expected).max() < 1e-3


@pytest.mark.parametrize("classes", [2, 4])
def test_svm_is_scikit_learn_with_its_own_weights(classes: int) -> None:
    train, valid = thinned(blobs(200, classes), 1, 6), blobs(40, classes, seed=1)
    changes = {"kernel": "linear", "C": [0.01], "tolerance": 1e-12, "max_steps": 5000}
    head = fit(config("svm", class_weight="balanced", **changes), train, valid, classes)
    standardiser = Standardiser.fit(train.features)
    table = standardiser.apply(train.features).astype(np.float64)
    # LinearSVC penalises its bias too; a large constant column makes that negligible.
    theirs = LinearSVC(C=0.01, tol=1e-10, intercept_scaling=1000, max_iter=100_000, dual=False)
    if classes == 2:
        theirs.set_params(class_weight="balanced").fit(table, train.labels)
    else:
        theirs.fit(table, train.labels, compute_sample_weight("balanced", train.labels))
    scores = theirs.decision_function(standardiser.apply(valid.features).astype(np.float64))
    expected = np.stack([-scores, scores], axis=1) if classes == 2 else scores
    temperature = head.facts["temperature"]
    assert isinstance(temperature, float)
    ours = np.log(head.predict_proba(valid.features)) * temperature
    difference = (ours - ours.mean(1, keepdims=True)) - (expected - expected.mean(1, keepdims=True))
    assert np.abs(difference).max() < 3e-3


def test_the_forest_is_scikit_learn_with_its_own_weights() -> None:
    train, valid = thinned(blobs(120), 1, 4), blobs(40, seed=1)
    head = config("forest", trees=9, min_samples_leaf=[2], class_weight="balanced")
    theirs = RandomForestClassifier(
        9, min_samples_leaf=2, class_weight="balanced",
        random_state=derive_seed(0, "head", "forest") % 2**32,
    ).fit(train.features, train.labels)  # fmt: skip
    expected = theirs.predict_proba(valid.features)
    assert fit(head, train, valid, 4).predict_proba(valid.features) == pytest.approx(expected)


def test_votes_of_neighbours_are_divided_by_the_share_of_their_class() -> None:
    train, valid = thinned(blobs(60), 1, 3), blobs(20, seed=1)
    plain, weighed = (
        fit(config("knn", neighbours=[12], class_weight=weight), train, valid, 4)
        for weight in (None, "balanced")
    )
    votes = plain.predict_proba(valid.features) / np.bincount(train.labels)
    expected = votes / votes.sum(axis=1, keepdims=True)
    assert weighed.predict_proba(valid.features) == pytest.approx(expected)


def test_the_loss_of_a_row_weighs_as_many_copies_of_it() -> None:
    draws = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(5, 3, generator=draws), torch.tensor([0, 1, 1, 2, 2])
    ours = weighed_cross_entropy(logits, labels, np.array([4.0, 1.0, 2.0]), label_smoothing=0.1)
    copies = torch.tensor([0, 0, 0, 0, 1, 2, 3, 3, 4, 4])
    whole = functional.cross_entropy(logits[copies], labels[copies], label_smoothing=0.1)
    assert float(ours) == pytest.approx(float(whole) * len(copies) / len(labels))


def test_parts_of_a_batch_have_the_loss_of_the_whole() -> None:
    logits, labels = torch.eye(4), torch.tensor([0, 0, 0, 1])
    weights = np.array([0.5, 9.0, 1.0, 1.0])
    whole = weighed_cross_entropy(logits, labels, weights)
    halves = [weighed_cross_entropy(logits[p], labels[p], weights) for p in ([0, 1], [2, 3])]
    assert float(whole) == pytest.approx(float(sum(halves)) / 2)


@pytest.mark.parametrize("word", WORDS)
def test_with_equally_many_rows_nothing_changes(word: str) -> None:
    plain, weighed = (
        fit(config(word, **SMALL[word], class_weight=weight), even(80), even(40), 4)
        for weight in (None, "balanced")
    )
    features = blobs(40, seed=2).features
    first, second = (head.predict_proba(features) for head in (plain, weighed))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("word", WORDS)
def test_a_rare_digit_is_found_more_often(word: str) -> None:
    test = digits()[2]
    answers = [
        fitted(word, weight).predict_proba(test.features).argmax(axis=1)
        for weight in (None, "balanced")
    ]
    found = [(one[test.labels == RARE] == RARE).mean() for one in answers]
    balanced = [balanced_accuracy_score(test.labels, one) for one in answers]
    of_rare, of_all = GAIN.get(word, (0.2, 0.01))
    assert found[1] > found[0] + of_rare
    assert balanced[1] > balanced[0] + of_all


@pytest.mark.parametrize("word", WORDS)
def test_a_weighed_head_is_saved_and_loaded_with_its_weights(word: str) -> None:
    head, features = fitted(word, "balanced"), digits()[2].features
    loaded = config(word).load(head.files())
    assert loaded.predict_proba(features).tobytes() == head.predict_proba(features).tobytes()
    assert loaded.files() == head.files()
    facts = json.loads(json.dumps(dict(loaded.facts), allow_nan=False))["class_weight"]
    assert facts["rule"] == "balanced" and "equally frequent" in facts["probabilities"]
    assert np.argmax(facts["weights"]) == RARE and facts["weights"][RARE] > 7
    assert fitted(word, None).facts["class_weight"] is None


@pytest.mark.parametrize("word", WORDS)
def test_weighed_probabilities_are_finite_and_sum_to_one(word: str) -> None:
    probabilities = fitted(word, "balanced").predict_proba(digits()[2].features)
    assert np.isfinite(probabilities).all() and (probabilities >= 0).all()
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-6


@pytest.mark.parametrize("word", WORDS)
def test_a_class_of_one_that_validation_lacks_and_one_without_labels_do_no_harm(word: str) -> None:
    train, valid = thinned(thinned(blobs(80), 1, 1), 2, 0), thinned(blobs(40, seed=1), 1, 0)
    head = config(word, **SMALL[word], class_weight="balanced")
    fitted = head.fit(train, valid, class_count=5, choose_by="macro_f1", seed=0, progress=False)
    probabilities = fitted.predict_proba(valid.features)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert not probabilities[:, [2, 4]].any() and probabilities[:, 1].max() > 0
    known = np.isin(valid.labels, [0, 3])
    assert (probabilities.argmax(axis=1) == valid.labels)[known].mean() > 0.6
