"""Which labels look wrong: planted ones are found, and nothing is said where nothing can be."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from ae_cls.check import doubts
from ae_cls.check.doubts import FEWEST, Doubts, doubts_of
from tests.check.drawn import picture

CLASSES = 4


def drawn(count: int, classes: int = CLASSES) -> tuple[torch.Tensor, np.ndarray]:
    labels = (np.arange(count) % classes).astype(np.int64)
    pictures = [picture(int(label), number) for number, label in enumerate(labels)]
    return torch.from_numpy(np.stack(pictures))[:, None], labels


def judged(images: torch.Tensor, labels: np.ndarray, units: np.ndarray | None = None) -> Doubts:
    rows = np.arange(len(labels))
    units = rows if units is None else units
    return doubts_of(images, rows, labels, units, int(labels.max()) + 1, 0)


def wrong(labels: np.ndarray, rows: list[int]) -> np.ndarray:
    changed = labels.copy()
    changed[rows] = (changed[rows] + 1) % (labels.max() + 1)
    return changed


@pytest.mark.parametrize("classes", [2, 4])
def test_planted_labels_are_found_with_the_class_that_they_had(classes: int) -> None:
    images, labels = drawn(120, classes)
    planted = [7, 40, 81]
    found = judged(images, wrong(labels, planted))
    assert set(planted) <= set(found.rows.tolist()) and len(found.rows) <= len(planted) + 2
    said = dict(zip(found.rows.tolist(), found.predicted.tolist(), strict=True))
    assert all(said[row] == labels[row] for row in planted)
    assert (found.probability > found.given).all()
    assert (np.diff(found.given) >= 0).all(), "the most doubtful stands first"
    assert not found.why_not


def test_five_per_cent_of_the_digits_are_found() -> None:
    digits = load_digits()
    images = torch.from_numpy((digits.images * 15).astype(np.uint8))[:, None]
    labels, draws = digits.target.astype(np.int64), np.random.default_rng(3)
    planted = draws.choice(len(labels), 90, replace=False)
    given = labels.copy()
    given[planted] = (given[planted] + draws.integers(1, 10, 90)) % 10
    found = judged(images, given)
    hits = np.isin(found.rows, planted)
    assert hits[:50].mean() >= 0.96 and hits.sum() >= 65
    assert found.accuracy > 0.9


def test_the_same_seed_gives_the_same_answer() -> None:
    images, labels = drawn(60)
    first, second = (judged(images, wrong(labels, [3])) for _ in range(2))
    assert first.rows.tolist() == second.rows.tolist()
    assert first.given.tolist() == second.given.tolist()


def test_the_rows_are_those_of_the_table() -> None:
    images, labels = drawn(160)
    rows = np.arange(40, 160)
    given = wrong(labels, [77])[rows]
    found = doubts_of(images, rows, given, np.arange(len(rows)), CLASSES, 0)
    assert 77 in found.rows


def test_labels_without_meaning_are_not_judged() -> None:
    images, labels = drawn(120)
    found = judged(images, np.random.default_rng(0).permutation(labels))
    assert not len(found.rows) and "too poorly" in found.why_not


def test_a_copy_in_another_fold_would_vouch_for_a_wrong_label() -> None:
    images, labels = drawn(120)
    planted = [7, 40, 81]
    copies = np.repeat(planted, 4)
    many = torch.cat([images, images[copies]])
    given = wrong(labels, planted)
    given = np.concatenate([given, given[copies]])
    units = np.concatenate([np.arange(120), copies])
    assert set(planted) <= set(judged(many, given, units).rows.tolist())
    assert not set(planted) & set(judged(many, given).rows.tolist())


def test_a_class_in_few_units_is_left_out_and_counted() -> None:
    images, labels = drawn(120)
    units = np.where(labels == 1, 0, np.arange(120))
    found = judged(images, wrong(labels, [3]), units)
    assert "1 of 4 classes has fewer than" in found.why_not
    assert found.judged < 120 and not (labels[found.rows] == 1).any()


@pytest.mark.parametrize("images", ["plain", "few"])
def test_what_cannot_be_judged_is_said(images: str) -> None:
    pictures, labels = drawn(60)
    if images == "plain":
        found = judged(torch.full_like(pictures, 90), labels)
        assert "hardly any image shows anything" in found.why_not
    else:
        few = CLASSES * (FEWEST - 1)
        assert "4 of 4 classes have fewer" in judged(pictures[:few], labels[:few]).why_not


def test_of_very_many_labels_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubts, "MOST_JUDGED", 100)
    images, labels = drawn(160)
    found = judged(images, labels)
    assert found.judged == 100 and "of 160 labels 100 were drawn" in found.why_not


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 8, 40), (3, 40, 8), (1, 70, 33)])
def test_pictures_of_any_shape_are_judged(shape: tuple[int, int, int]) -> None:
    labels = (np.arange(60) % 2).astype(np.int64)
    pixels = np.random.default_rng(0).integers(0, 60, (60, *shape))
    half = shape[1] // 2
    pixels[labels == 1, :, :half] += 150
    pixels[labels == 0, :, half:] += 150
    found = judged(torch.from_numpy(pixels.astype(np.uint8)), wrong(labels, [8]))
    assert found.rows.tolist() == [8]
