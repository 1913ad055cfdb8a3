"""Neighbours against a plain loop."""

import numpy as np
import pytest
import torch

from ae_cls.head import knn
from ae_cls.head.contract import Labelled
from ae_cls.head.knn import Knn, KnnConfig
from tests.head.heads import blobs, config, digits


def fit(train: Labelled, valid: Labelled, classes: int, **changes) -> Knn:
    head = config("knn", **changes)
    assert isinstance(head, KnnConfig)
    return head.fit(train, valid, class_count=classes, seed=0, progress=False)


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
    monkeypatch.setattr(knn, "_QUERIES", 32)
    monkeypatch.setattr(knn, "_ROWS", 100)
    train, valid, test = digits()
    head = fit(train, valid, 10, neighbours=[k], temperature=0.07)
    ours = head.predict_proba(test.features[:100])
    loop = by_loop(train, test.features[:100], k=k, temperature=0.07)
    # Half precision may swap two neighbours that are alike to 1e-4.
    far = np.abs(ours - loop).max(axis=1)
    assert np.sort(far)[:-2].max() < 0.02 and np.median(far) < 2e-3
    assert (ours.argmax(axis=1) == loop.argmax(axis=1)).mean() >= 0.99


def test_the_first_of_equal_neighbours_votes() -> None:
    table = torch.tensor([[0.5, 0.9, 0.5, 0.9, 0.5, 0.1], [0.3, 0.2, 0.1, 0.0, -0.1, -0.2]])
    nearest = knn._first(table, 3)
    assert nearest.rows.tolist() == [[1, 3, 0], [0, 1, 2]]
    many = torch.randint(0, 300, (20, 5000), generator=torch.Generator().manual_seed(0)) / 300
    by_numpy = np.argsort(-many.numpy(), axis=1, kind="stable")[:, :40]
    nearest = knn._first(many, 40)
    assert np.array_equal(nearest.rows.numpy(), by_numpy)
    assert torch.equal(nearest.cosines, many.gather(1, nearest.rows))


def test_the_weight_falls_by_e_a_temperature() -> None:
    train = Labelled(np.eye(3, dtype=np.float32)[[0, 1, 1]], np.array([0, 1, 1]))
    head = fit(train, train, 2, neighbours=[2], temperature=0.5)
    cosines = torch.tensor([[0.8, 0.3]])
    votes = head.vote(knn.Nearest(cosines, torch.tensor([[0, 1]])))
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


def test_parts_of_the_rows_find_what_the_whole_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    once = blobs(50)
    train = Labelled(np.tile(once.features, (6, 1)), np.tile(once.labels, 6))
    head = fit(train, blobs(20, seed=1), 4, neighbours=[20])
    whole = head.nearest(blobs(40, seed=2).features)
    monkeypatch.setattr(knn, "_ROWS", 64)
    parts = head.nearest(blobs(40, seed=2).features)
    assert torch.equal(parts.rows, whole.rows)
    assert torch.allclose(parts.cosines, whole.cosines, atol=1e-6)
    assert (whole.cosines[:, 0] == whole.cosines[:, 5]).all()  # all six copies are alike
