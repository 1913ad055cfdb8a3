"""Neighbours against a plain loop."""

import numpy as np
import pytest
import torch

from ae_cls.head import knn, neighbours
from ae_cls.head.fitted import Labelled
from ae_cls.head.knn import Knn, KnnConfig
from tests.head.heads import blobs, config, digits


def fit(train: Labelled, valid: Labelled, classes: int, **changes) -> Knn:
    head = config("knn", **changes)
    assert isinstance(head, KnnConfig)
    fitted = head.fit(
        train, valid, class_count=classes, choose_by="accuracy", seed=0, progress=False
    )
    assert isinstance(fitted, Knn)
    return fitted


def by_loop(train: Labelled, queries: np.ndarray, *, k: int, temperature: float) -> np.ndarray:
    """The definition, one query at a time in float64."""
    rows = train.features.astype(np.float64)
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale[scale == 0] = 1
    rows = (rows - mean) / scale
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    answers = []
    for query in (queries.astype(np.float64) - mean) / scale:
        cosines = rows @ query / np.linalg.norm(query)
        votes = np.zeros(train.labels.max() + 1)
        for row in np.argsort(-cosines, kind="stable")[:k]:
            votes[train.labels[row]] += np.exp(cosines[row] / temperature)
        answers.append(votes / votes.sum())
    return np.array(answers)


@pytest.mark.parametrize("k", [1, 7, 1000])
def test_votes_agree_with_a_loop(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_COSINES", 32 * 1100)
    monkeypatch.setattr(neighbours, "_ROWS", 100)
    train, valid, test = digits()
    head = fit(train, valid, 10, neighbours=[k], temperature=0.07)
    ours = head.predict_proba(test.features[:100])
    loop = by_loop(train, test.features[:100], k=k, temperature=0.07)
    # Half precision may swap two neighbours that are alike to 1e-4.
    far = np.abs(ours - loop).max(axis=1)
    assert np.sort(far)[:-2].max() < 0.02 and np.median(far) < 2e-3
    assert (ours.argmax(axis=1) == loop.argmax(axis=1)).mean() >= 0.99


def test_equal_neighbours_vote_alike_in_every_run() -> None:
    once = blobs(40)
    train = Labelled(np.tile(once.features, (6, 1)), np.random.default_rng(0).integers(0, 4, 240))
    heads = [fit(train, blobs(20, seed=1), 4, neighbours=[8]) for _ in range(2)]
    first, again = (head.predict_proba(blobs(40, seed=2).features) for head in heads)
    assert first.tobytes() == again.tobytes()


def test_equal_neighbours_that_all_vote_share_by_their_number() -> None:
    once = blobs(4)
    train = Labelled(np.tile(once.features, (3, 1)), np.array([0, 1, 2, 3, 0, 1, 2, 3, 1, 1, 2, 3]))
    head = fit(train, blobs(20, seed=1), 4, neighbours=[3], temperature=0.1)
    votes = head.predict_proba(once.features)
    assert np.allclose(votes[0], [2 / 3, 1 / 3, 0, 0], atol=1e-3)
    assert np.allclose(votes[1], [0, 1, 0, 0], atol=1e-3)


def test_the_weight_falls_by_e_a_temperature() -> None:
    train = Labelled(np.eye(3, dtype=np.float32)[[0, 1, 1]], np.array([0, 1, 1]))
    head = fit(train, train, 2, neighbours=[2], temperature=0.5)
    votes = head.vote(knn.Nearest(torch.tensor([[0.8, 0.3]]), torch.tensor([[0, 1]])))
    assert votes[0, 0] / votes[0, 1] == pytest.approx(np.e)


def test_a_small_temperature_does_not_overflow() -> None:
    head = fit(blobs(40), blobs(20, seed=1), 4, temperature=0.001)
    assert np.isfinite(head.predict_proba(blobs(20, seed=2).features)).all()


def test_scales_of_columns_do_not_matter() -> None:
    train, valid = blobs(100), blobs(40, seed=1)
    stretch = np.geomspace(0.01, 100, 8).astype(np.float32)
    first = fit(train, valid, 4).predict_proba(valid.features)
    other = fit(
        Labelled(train.features * stretch, train.labels),
        Labelled(valid.features * stretch, valid.labels),
        4,
    ).predict_proba(valid.features * stretch)
    assert np.abs(first - other).max() < 5e-3


def test_a_row_at_the_mean_is_no_division_by_zero() -> None:
    train = Labelled(np.array([[1, 1], [-1, -1], [0, 0]], np.float32), np.array([0, 1, 0]))
    head = fit(train, train, 2, neighbours=[1, 3])
    assert np.isfinite(head.predict_proba(np.zeros((1, 2), np.float32))).all()


def test_parts_of_the_rows_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    head, queries = fit(blobs(300), blobs(20, seed=1), 4, neighbours=[20]), blobs(40, seed=2)
    whole = head.predict_proba(queries.features)
    monkeypatch.setattr(neighbours, "_ROWS", 64)
    monkeypatch.setattr(neighbours, "_COSINES", 300 * 7)  # seven queries at a time
    assert np.abs(head.predict_proba(queries.features) - whole).max() < 1e-4
