"""Rows that belong together come into one part; parts keep their sizes as far as they can."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ae_cls.dataset.copies import Copies
from ae_cls.dataset.draw_together import drawn_together
from ae_cls.dataset.split import make_split
from ae_cls.errors import UsageError
from tests.dataset.test_split import SEEDS, config, dataset, labels, parts

COUNTS = st.lists(st.integers(6, 40), min_size=2, max_size=4)


@given(COUNTS, SEEDS, st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_no_group_is_in_two_parts(sizes: list[int], seed: int, members: int) -> None:
    data = dataset(sizes)
    # Groups of one class each, so that each class has several and can be cut.
    groups = np.concatenate(
        [index * 100 + np.arange(size) // members for index, size in enumerate(sizes)]
    )[np.argsort(np.argsort(data.labels.numpy(), kind="stable"), kind="stable")]
    try:
        split = make_split(replace(data, groups=groups), config(), labels(), seed)
    except UsageError:  # too few groups to cut
        assert any(size <= 3 * members for size in sizes)
        return
    held = [set(groups[rows].tolist()) for rows in (split.train, split.valid, split.test)]
    assert not (held[0] & held[1] or held[0] & held[2] or held[1] & held[2])
    together = [*split.train, *split.valid, *split.test]
    assert sorted(together) == list(range(len(groups)))


@given(COUNTS, SEEDS)
@settings(max_examples=30, deadline=None)
def test_groups_of_one_row_change_no_split(sizes: list[int], seed: int) -> None:
    data = dataset(sizes)
    alone = replace(data, groups=np.arange(len(data.labels)))
    without = replace(data, groups=np.full(len(data.labels), -1))
    plain = parts(make_split(data, config(), labels(), seed))
    for other in (alone, without):
        assert parts(make_split(other, config(), labels(), seed)) == plain


def test_sizes_are_as_near_to_the_fraction_as_whole_groups_allow() -> None:
    data = dataset([120, 120])
    groups = np.empty(240, np.int64)
    for index in range(2):  # 15 patients a class, with 8 images each
        rows = np.flatnonzero(data.labels.numpy() == index)
        groups[rows] = 15 * index + np.arange(120) // 8
    split = make_split(replace(data, groups=groups), config(0.1, 0.2), labels(), seed=0)
    assert np.bincount(data.labels_of(split.test)).tolist() == [24, 24]
    assert np.bincount(data.labels_of(split.valid)).tolist() == [8, 8]  # of 9.6 that are wished


def test_copies_stay_together_and_unlabelled_ones_of_held_out_images_are_left_out() -> None:
    data = dataset([20, 20], unlabelled=40)
    alike = np.concatenate([np.arange(40), np.arange(40)])  # each labelled image once more
    copies = Copies(np.arange(80, dtype=np.uint64), alike, compared=True)
    split = make_split(replace(data, copies=copies), config(), labels(), seed=0)
    held = np.concatenate([split.valid, split.test])
    assert len(held)
    assert not np.isin(held + 40, split.pretrain).any()
    assert np.isin(split.train + 40, split.pretrain).all()


def test_official_parts_are_kept_whatever_belongs_together() -> None:
    data = dataset([20, 20], valid=10, test=10)
    split = make_split(replace(data, groups=np.zeros(60, np.int64)), config(), labels(), seed=0)
    assert parts(split) == parts(make_split(data, config(), labels(), seed=0))


def test_one_group_that_holds_a_class_cannot_be_cut_and_it_is_said_why() -> None:
    data = dataset([20, 20])
    with pytest.raises(UsageError) as caught:
        make_split(replace(data, groups=data.labels.numpy()), config(), labels(), seed=0)
    assert "in 2 groups or sets of copies" in caught.value.why


def test_a_large_group_is_drawn_where_a_class_would_have_none() -> None:
    classes, units = np.repeat([0, 1], 10), np.r_[np.repeat([0, 1], 5), np.arange(2, 12)]
    orders = [np.arange(10), np.arange(10, 20)]
    drawn = drawn_together(orders, classes, units, np.array([1, 1]))
    assert np.bincount(classes[drawn]).tolist() == [5, 1]
