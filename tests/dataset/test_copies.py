"""Copies are found among pictures that are none; rows that belong together have one number."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import Tensor

from ae_cls.dataset import find_copies as module
from ae_cls.dataset import nearest as nearest_module
from ae_cls.dataset.copies import first_places, joined, sets_of, together
from ae_cls.dataset.find_copies import find_copies
from tests.dataset.pictures import COPIES, leaves

COUNT, PLANTED = 400, 40


@pytest.fixture(scope="module")
def originals() -> np.ndarray:
    return leaves(COUNT, 32, seed=0)


def as_table(pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))


def test_pictures_of_different_things_are_no_copies(originals: np.ndarray) -> None:
    assert not find_copies(as_table(originals)).is_copy.any()


@pytest.mark.parametrize("change", COPIES)
def test_changed_copies_are_found(change: str, originals: np.ndarray) -> None:
    planted = np.stack([COPIES[change](picture) for picture in originals[:PLANTED]])
    alike = find_copies(as_table(np.concatenate([originals, planted]))).alike
    assert (alike[:PLANTED] == alike[COUNT:]).mean() >= 0.95
    assert len(set(alike[:COUNT].tolist())) == COUNT, "two originals were taken for copies"


def test_grey_pictures_have_copies_too(originals: np.ndarray) -> None:
    grey = originals.mean(3, keepdims=True).astype(np.uint8)
    planted = np.clip(grey[:PLANTED].astype(int) + 12, 0, 255).astype(np.uint8)
    alike = find_copies(as_table(np.concatenate([grey, planted]))).alike
    assert (alike[:PLANTED] == alike[COUNT:]).mean() >= 0.95


def test_equal_pixels_alone_are_equal(originals: np.ndarray) -> None:
    lighter = COPIES["lighter"](originals[0])
    copies = find_copies(as_table(np.concatenate([originals, originals[:1], lighter[None]])))
    assert copies.equal[[0, COUNT]].tolist() == [0, 0]
    assert copies.equal[COUNT + 1] == COUNT + 1
    assert len(set(copies.alike[[0, COUNT, COUNT + 1]].tolist())) == 1


@pytest.mark.parametrize(("patients", "frames"), [(30, 8), (20, 3), (10, 20)])
def test_the_frames_of_one_scene_are_copies(patients: int, frames: int) -> None:
    rng = np.random.default_rng(0)
    scenes = rng.integers(40, 216, (patients, 16, 16, 1)).repeat(frames, 0)
    noisy = np.clip(scenes + rng.normal(0, 6, scenes.shape), 0, 255).astype(np.uint8)
    alike = find_copies(as_table(noisy)).alike
    patient = np.arange(patients).repeat(frames)
    assert all(len(set(patient[rows].tolist())) == 1 for rows in sets_of(alike))
    assert together(alike).mean() >= 0.9


def test_a_class_of_like_things_is_no_set_of_copies() -> None:
    rng = np.random.default_rng(0)
    down, right = np.mgrid[:24, :24]
    discs = [(down - y) ** 2 + (right - x) ** 2 < 36 for y, x in rng.uniform(8, 16, (25, 2))]
    boxes = [(right >= x) & (right < x + 4) for x in rng.integers(4, 16, 25)]
    figures = 200.0 * np.array(discs + boxes) + 20
    noisy = np.clip(figures + rng.normal(0, 8, figures.shape), 0, 255).astype(np.uint8)
    sets = sets_of(find_copies(as_table(noisy[..., None])).alike)
    assert max(map(len, sets), default=0) <= 5


def test_real_digits_are_no_copies_of_each_other() -> None:
    images = torch.from_numpy((load_digits().images * 15.9).astype(np.uint8))[:, None]
    assert not find_copies(images).is_copy.any()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_pictures_are_looked_at_too(count: int, originals: np.ndarray) -> None:
    assert not find_copies(as_table(originals[:count])).is_copy.any()


def test_pictures_without_contrast_are_copies_only_if_they_are_equal() -> None:
    flat = np.full((6, 8, 8, 1), 200, np.uint8)
    flat[3:] += np.arange(3, dtype=np.uint8)[:, None, None, None]
    assert find_copies(as_table(flat)).is_copy.tolist() == [True] * 4 + [False] * 2


def test_in_a_very_large_set_equal_ones_alone_are_looked_for(
    monkeypatch: pytest.MonkeyPatch, originals: np.ndarray
) -> None:
    monkeypatch.setattr(module, "MOST_COMPARED", COUNT)
    lighter = COPIES["lighter"](originals[0])
    copies = find_copies(as_table(np.concatenate([originals, originals[:1], lighter[None]])))
    assert not copies.compared
    assert [rows.tolist() for rows in sets_of(copies.alike)] == [[0, COUNT]]


numbers = st.lists(st.integers(-1, 6), min_size=1, max_size=20).map(np.array)


@given(numbers)
def test_sets_are_the_rows_of_one_number(column: np.ndarray) -> None:
    sets = sets_of(column)
    assert all(len(rows) > 1 and len(set(column[rows].tolist())) == 1 for rows in sets)
    assert sorted(row for rows in sets for row in rows) == np.flatnonzero(together(column)).tolist()
    assert [rows[0] for rows in sets] == sorted(rows[0] for rows in sets)


@given(numbers, st.data())
def test_joined_is_the_finest_that_keeps_each_column_together(
    first: np.ndarray, data: st.DataObject
) -> None:
    second = np.array(
        data.draw(st.lists(st.integers(-1, 6), min_size=len(first), max_size=len(first)))
    )
    number = joined(len(first), [first, second])
    reached = _by_hand([first, second])
    assert all(
        (number[i] == number[j]) == reached[i, j]
        for i in range(len(first))
        for j in range(len(first))
    )


def _by_hand(columns: list[np.ndarray]) -> np.ndarray:
    """Which rows are reached from which: the closure, step by step."""
    count = len(columns[0])
    reached = np.eye(count, dtype=bool)
    for column in columns:
        reached |= (column[:, None] == column) & (column >= 0)
    for _ in range(count):
        reached = (reached.astype(int) @ reached.astype(int)) > 0
    return reached


def test_first_places_are_the_rows_where_values_begin() -> None:
    assert first_places(np.array([7, 3, 7, 3, 9])).tolist() == [0, 1, 0, 1, 4]


@pytest.mark.parametrize("change", ["encoded again", "mirrored", "lighter", "smaller"])
def test_of_many_pictures_those_that_hardly_moved_are_found_too(
    change: str, monkeypatch: pytest.MonkeyPatch, originals: np.ndarray
) -> None:
    monkeypatch.setattr(module, "_FEW", 100)
    monkeypatch.setattr(nearest_module, "MOST_COMPARED", 100)
    planted = np.stack([COPIES[change](picture) for picture in originals[:PLANTED]])
    alike = find_copies(as_table(np.concatenate([originals, planted]))).alike
    assert (alike[:PLANTED] == alike[COUNT:]).mean() >= 0.9
    assert len(set(alike[:COUNT].tolist())) == COUNT, "two originals were taken for copies"


def test_in_cells_the_nearest_are_nearly_always_those_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = np.random.default_rng(0).normal(size=(2000, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors + 0.01
    exact = nearest_module.nearest(queries, vectors, 3)
    monkeypatch.setattr(nearest_module, "MOST_COMPARED", 100)
    in_cells = nearest_module.nearest(queries, vectors, 3)
    assert (in_cells[:, 0] == exact[:, 0]).mean() >= 0.98
    assert in_cells.shape == exact.shape
