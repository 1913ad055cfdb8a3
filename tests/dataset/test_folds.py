"""Folds: strata, units that stay together, and classes too small to be held back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ae_cls.dataset.folds import stratified_folds


def folds(labels, units=None, *, most: int = 5, seed: int = 0, purpose: str = "test"):
    labels = np.asarray(labels)
    units = np.arange(len(labels)) if units is None else np.asarray(units)
    return stratified_folds(labels, units, most=most, seed=seed, purpose=purpose)


@pytest.mark.parametrize(("per_class", "count"), [(2, 2), (3, 3), (4, 4), (5, 5), (10, 5), (60, 5)])
def test_there_are_five_or_as_many_as_a_class_has_rows(per_class: int, count: int) -> None:
    labels = np.tile(np.arange(3), per_class)
    held = folds(labels)
    assert len(held) == count
    assert np.array_equal(np.sort(np.concatenate(held)), np.arange(len(labels)))
    shares = [np.bincount(labels[rows], minlength=3) for rows in held]
    assert np.ptp(np.array(shares)) <= 1


@pytest.mark.parametrize("labels", [[], [0, 1, 2], [0, 0, 0, 0, 1, 2], [0, 0]])
def test_without_two_classes_of_two_rows_there_are_none(labels: list[int]) -> None:
    assert folds(np.array(labels, np.int64)) == ()


def test_the_only_row_of_a_class_is_never_held_back() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 2])
    held = folds(labels)
    assert len(held) == 4 and 7 not in np.concatenate(held)


def test_no_class_has_all_of_its_rows_in_one_fold() -> None:
    held = folds([0] * 50 + [1] * 2)
    assert len(held) == 5
    assert all(len(np.intersect1d(rows, [50, 51])) <= 1 for rows in held)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=1, max_size=40),
    st.integers(0, 5),
)
def test_what_belongs_together_stays_together(rows: list[tuple[int, int]], seed: int) -> None:
    labels, units = np.array(rows).T
    held = folds(labels, units, seed=seed)
    for one in held:
        assert np.isin(units[one], np.delete(units, one)).sum() == 0
        assert len(np.unique(np.delete(labels, one))) >= 2
    together = np.concatenate([*held, np.zeros(0, np.int64)])
    assert len(np.unique(together)) == len(together)


def test_seed_and_purpose_alone_decide() -> None:
    labels = np.arange(30) % 3
    first, again = folds(labels), folds(labels)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for other in (folds(labels, seed=1), folds(labels, purpose="other")):
        assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
