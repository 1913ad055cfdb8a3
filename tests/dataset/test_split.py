"""Parts and draws, as properties over all class sizes."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ae_cls.dataset.contract import NO_LABEL, Dataset
from ae_cls.dataset.split import LabelsConfig, Split, SplitConfig, make_split
from ae_cls.dataset.table import consecutive_rows
from ae_cls.errors import DataError, UsageError
from tests.dataset.chosen import chosen

SIZES = st.lists(st.integers(4, 40), min_size=2, max_size=6)
SEEDS = st.integers(0, 2**32 - 1)


def dataset(
    sizes: list[int],
    *,
    valid: int = 0,
    test: int = 0,
    unlabelled: int = 0,
    names: int | None = None,
) -> Dataset:
    """`sizes[k]` training rows of class k, in a mixed order."""
    train = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    others = np.arange(valid + test) % len(sizes)
    labels = np.concatenate([train, others, np.full(unlabelled, NO_LABEL)]).astype(np.int64)
    rows = consecutive_rows(
        {"train": len(train), "valid": valid, "test": test, "unlabelled": unlabelled}
    )
    return Dataset(
        name="made",
        images=torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8),
        labels=torch.from_numpy(labels),
        class_names=tuple(f"class {number}" for number in range(names or len(sizes))),
        train=rows["train"],
        valid=rows["valid"],
        test=rows["test"],
        unlabelled=rows["unlabelled"],
        paths=(),
        mirrored_is_same=False,
    )


def config(
    valid: float = 0.25,
    test: float = 0.25,
    seed: int | None = None,
    *,
    folds: int | None = None,
    fold: int = 0,
) -> SplitConfig:
    return SplitConfig(valid_fraction=valid, test_fraction=test, seed=seed, folds=folds, fold=fold)


def labels(
    per_class: int | None = None,
    fraction: float | None = None,
    count: int | None = None,
    draw: int | None = None,
) -> LabelsConfig:
    return LabelsConfig(
        per_class=per_class, fraction=fraction, count=count, draw=draw, choose=None,
        choose_by="accuracy",
    )  # fmt: skip


def counts(data: Dataset, rows: np.ndarray) -> list[int]:
    return np.bincount(data.labels_of(rows), minlength=len(data.class_names)).tolist()


def parts(split: Split) -> dict[str, list[int]]:
    return {name: getattr(split, name).tolist() for name in ("pretrain", "train", "valid", "test")}


@given(SIZES, SEEDS, st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_parts_are_disjoint_and_lose_no_row(sizes: list[int], seed: int, unlabelled: int) -> None:
    data = dataset(sizes, unlabelled=unlabelled)
    split = make_split(data, config(), labels(), seed)
    rows = np.concatenate([split.pretrain, split.valid, split.test])
    assert np.sort(rows).tolist() == list(range(len(data.labels)))
    assert split.train.tolist() == sorted(set(split.pretrain) - set(data.unlabelled))
    assert all(part == sorted(part) for part in parts(split).values())


@given(SIZES, SEEDS, st.floats(0.1, 0.9))
@settings(max_examples=60, deadline=None)
def test_held_out_parts_have_the_classes_in_proportion(
    sizes: list[int], seed: int, fraction: float
) -> None:
    data = dataset(sizes, valid=2)
    split = make_split(data, config(test=fraction), labels(), seed)
    for size, held in zip(sizes, counts(data, split.test), strict=True):
        assert held <= size - 1
        assert abs(held - size * fraction) < 1 or held == size - 1
    assert min(counts(data, split.train)) >= 1


@given(SIZES, SEEDS)
@settings(max_examples=30, deadline=None)
def test_total_held_out_is_the_fraction_where_no_class_is_too_small(
    sizes: list[int], seed: int
) -> None:
    data = dataset(sizes)
    split = make_split(data, config(test=0.3), labels(), seed)
    assert len(split.test) == int(sum(sizes) * 0.3 + 0.5)


@given(SIZES, SEEDS)
@settings(max_examples=30, deadline=None)
def test_the_same_seed_gives_the_same_split_and_digest(sizes: list[int], seed: int) -> None:
    data = dataset(sizes)
    first, second = (make_split(data, config(), labels(count=len(sizes)), seed) for _ in range(2))
    assert first.digest() == second.digest()
    assert parts(first) == parts(second)
    assert first.labelled.tolist() == second.labelled.tolist()


def test_another_seed_gives_another_split() -> None:
    data = dataset([30, 30])
    digests = {make_split(data, config(), labels(), seed).digest() for seed in range(10)}
    assert len(digests) == 10


def test_a_given_seed_holds_the_split_while_the_run_seed_varies() -> None:
    data = dataset([30, 30])
    fixed = [make_split(data, config(seed=7), labels(per_class=3), seed) for seed in (1, 2)]
    assert parts(fixed[0]) == parts(fixed[1])
    assert fixed[0].labelled.tolist() != fixed[1].labelled.tolist()
    held = [make_split(data, config(seed=7), labels(per_class=3, draw=5), s) for s in (1, 2)]
    assert held[0].digest() == held[1].digest()


def test_the_draw_of_labels_changes_no_part() -> None:
    data = dataset([30, 30])
    splits = [make_split(data, config(), labels(per_class=3, draw=draw), 0) for draw in (0, 1)]
    assert parts(splits[0]) == parts(splits[1])
    assert splits[0].digest() != splits[1].digest()


def test_the_digest_is_a_sha256_that_tells_parts_apart() -> None:
    rows = np.arange(3)
    none = rows[:0]
    first = Split(pretrain=rows, watched=none, train=rows, labelled=rows, valid=rows, test=none)
    second = Split(pretrain=rows, watched=none, train=rows, labelled=rows, valid=none, test=rows)
    assert first.digest() != second.digest()
    assert len(first.digest()) == len(hashlib.sha256().hexdigest())


def of_unlabelled(**others: int) -> SplitConfig:
    return config(folds=3, **others).model_copy(update={"pretrain_on": "unlabelled"})


def test_pretraining_on_images_without_a_label_is_the_same_in_every_fold_and_division() -> None:
    data = dataset([9, 9], unlabelled=20)
    splits = [
        make_split(data, of_unlabelled(fold=fold, seed=seed), labels(), 7)
        for fold in range(3)
        for seed in (1, 2)
    ]
    first = splits[0]
    assert len({tuple(split.test) for split in splits}) == 6
    assert all((split.pretrain == first.pretrain).all() for split in splits)
    assert all((split.watched == first.watched).all() for split in splits)
    assert sorted([*first.pretrain, *first.watched]) == data.unlabelled.tolist()
    assert len(first.watched) == 5  # a quarter
    for split in splits:
        assert split.pool.tolist() == sorted([*split.train, *split.pretrain])


def test_copies_of_labelled_images_are_not_pretrained_on_where_labels_are_kept_apart() -> None:
    data = dataset([9, 9], unlabelled=20)
    groups = np.full(len(data.labels), -1)
    groups[data.unlabelled[:3]] = groups[data.train[:3]] = [0, 1, 2]
    split = make_split(replace(data, groups=groups), of_unlabelled(), labels(), 0)
    assert sorted([*split.pretrain, *split.watched]) == data.unlabelled[3:].tolist()


def test_too_few_images_without_a_label_are_refused_with_the_cure() -> None:
    with pytest.raises(UsageError, match="too few images have no label") as caught:
        make_split(dataset([9, 9], unlabelled=1), of_unlabelled(), labels(), 0)
    assert caught.value.fix == "split.pretrain_on=all"


def test_official_parts_are_taken_as_they_are() -> None:
    data = dataset([20, 20], valid=6, test=8)
    split = make_split(data, config(), labels(), 3)
    assert split.valid.tolist() == data.valid.tolist()
    assert split.test.tolist() == data.test.tolist()
    assert split.train.tolist() == data.train.tolist()


def test_validation_is_cut_from_training_and_never_from_test() -> None:
    data = dataset([20, 20], test=8)
    split = make_split(data, config(valid=0.2), labels(), 3)
    assert len(split.valid) == 8
    assert set(split.valid) <= set(data.train)
    assert not set(split.pretrain) & set(data.test)


@given(st.lists(st.integers(8, 30), min_size=2, max_size=5), SEEDS, st.data())
@settings(max_examples=60, deadline=None)
def test_draws_nest(sizes: list[int], seed: int, drawn: st.DataObject) -> None:
    data = dataset(sizes)
    every = make_split(data, config(), labels(), seed).train
    small, large = sorted(drawn.draw(st.tuples(*[st.integers(len(sizes), len(every))] * 2)))
    by_count = [make_split(data, config(), labels(count=c), seed).labelled for c in (small, large)]
    assert [len(rows) for rows in by_count] == [small, large]
    assert set(by_count[0]) <= set(by_count[1]) <= set(every)
    by_class = [make_split(data, config(), labels(per_class=k), seed).labelled for k in (1, 3)]
    assert set(by_class[0]) <= set(by_class[1])
    by_share = [make_split(data, config(), labels(fraction=f), seed).labelled for f in (0.5, 0.9)]
    assert set(by_share[0]) <= set(by_share[1])


@given(st.lists(st.integers(8, 60), min_size=2, max_size=5), SEEDS, st.floats(0.3, 1))
@settings(max_examples=60, deadline=None)
def test_drawn_labels_have_the_classes_in_proportion(
    sizes: list[int], seed: int, fraction: float
) -> None:
    data = dataset(sizes)
    split = make_split(data, config(), labels(fraction=fraction), seed)
    there, shown = counts(data, split.train), counts(data, split.labelled)
    share = len(split.labelled) / len(split.train)
    assert min(shown) >= 1
    for most, some in zip(there, shown, strict=True):
        assert abs(some - share * most) < 2


def test_per_class_shows_exactly_so_many_labels_of_each_class() -> None:
    data = dataset([30, 12, 20])
    split = make_split(data, config(), labels(per_class=5), 0)
    assert counts(data, split.labelled) == [5, 5, 5]


@pytest.mark.parametrize("draw", range(5))
def test_the_smallest_count_shows_each_class_once_however_rare(draw: int) -> None:
    data = dataset([200, 6, 50], valid=3, test=3)
    split = make_split(data, config(), labels(count=3, draw=draw), 0)
    assert counts(data, split.labelled) == [1, 1, 1]


def test_no_budget_shows_all_labels() -> None:
    split = make_split(dataset([9, 9]), config(), labels(), 0)
    assert split.labelled.tolist() == split.train.tolist()


def test_odd_labels_do_not_always_go_to_the_first_class() -> None:
    data = dataset([20, 20], test=2)
    favoured = {
        counts(data, make_split(data, config(), labels(count=3, draw=draw), 0).labelled)[0]
        for draw in range(12)
    }
    assert favoured == {1, 2}


def test_too_many_labels_per_class_name_the_class_and_the_most() -> None:
    data = dataset([30, 12], test=2)
    most = counts(data, make_split(data, config(), labels(), 0).train)[1]
    assert len(make_split(data, config(), labels(per_class=most), 0).labelled) == 2 * most
    with pytest.raises(UsageError) as caught:
        make_split(data, config(), labels(per_class=most + 1), 0)
    assert caught.value.code == 2
    assert "labels.per_class" in caught.value.where
    assert f"class 1 has {most}" in caught.value.why
    assert f"labels.per_class={most}" in caught.value.fix


@pytest.mark.parametrize(
    "budget",
    [labels(count=2), labels(count=31), labels(fraction=0.05)],
    ids=["few", "many", "share"],
)
def test_a_count_that_cannot_be_is_refused_with_its_range(budget: LabelsConfig) -> None:
    data = dataset([10, 10, 10], valid=3, test=3)
    with pytest.raises(UsageError, match="labels") as caught:
        make_split(data, config(), budget, 0)
    assert "from 3 to 30" in caught.value.fix


def test_a_class_without_training_rows_is_named() -> None:
    with pytest.raises(DataError, match="class 2"):
        make_split(dataset([9, 9], names=3), config(), labels(), 0)


def test_a_single_row_of_a_class_stays_in_training() -> None:
    data = dataset([20, 1])
    split = make_split(data, config(valid=0.5, test=0.5), labels(), 0)
    assert counts(data, split.train)[1] == 1


@pytest.mark.parametrize("part", ["valid", "test"])
def test_an_empty_part_is_refused_with_its_key(part: str) -> None:
    data = dataset([3, 3], valid=2 * (part == "test"), test=2 * (part == "valid"))
    with pytest.raises(UsageError) as caught:
        make_split(data, config(valid=0.01, test=0.01), labels(), 0)
    assert f"split.{part}_fraction=0.01" in caught.value.where


def test_without_any_label_there_is_pretraining_and_a_small_validation_part() -> None:
    data = dataset([], unlabelled=20)
    split = make_split(data, config(valid=0.1), labels(), 0)
    assert len(split.valid) == 2
    assert sorted([*split.valid, *split.pretrain]) == list(range(20))
    assert [len(split.train), len(split.labelled), len(split.test)] == [0, 0, 0]
    assert (data.labels_of(split.valid) == NO_LABEL).all()
    with pytest.raises(UsageError, match="valid"):
        make_split(dataset([], unlabelled=3), config(valid=0.1), labels(), 0)


@pytest.mark.parametrize(
    "given_twice", [{"per_class": 1, "count": 2}, {"fraction": 0.5, "count": 2}]
)
def test_budgets_exclude_each_other(given_twice: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="only one of"):
        labels(**given_twice)


@pytest.mark.parametrize(
    "wrong", [{"valid": 0.0}, {"valid": 1.0}, {"test": -0.1}, {"test": 1.0}, {"seed": -1}]
)
def test_fractions_and_seeds_have_a_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        config(**wrong)  # pyright: ignore[reportArgumentType]


def test_a_test_fraction_of_0_cuts_no_test_part() -> None:
    data = dataset([9, 7])
    split = make_split(data, config(test=0.0), labels(), 0)
    assert not len(split.test)
    assert sorted([*split.train, *split.valid]) == data.train.tolist()


def test_the_split_of_digits_is_pinned() -> None:
    split = make_split(chosen("digits").load(), config(0.1, 0.2), labels(per_class=10), 0)
    sizes = [len(rows) for rows in (split.train, split.labelled, split.valid, split.test)]
    assert sizes == [1294, 100, 144, 359]
    # A change here changes every published figure of the default run.
    assert split.digest() == ("8fc1a25bf977c18ed5b2c4fa4b73a0ee3deff389e0abc38562efa797ea950976")


def folds_of(made: Dataset, folds: int = 5, repeat: int = 0) -> list[Split]:
    splits = (config(seed=repeat, folds=folds, fold=fold) for fold in range(folds))
    return [make_split(made, split, labels(), seed=0) for split in splits]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(5, 30), min_size=2, max_size=5), SEEDS)
def test_the_folds_test_each_labelled_row_once(sizes: list[int], seed: int) -> None:
    made = dataset(sizes, unlabelled=7)
    splits = folds_of(made, repeat=seed)
    assert np.array_equal(np.sort(np.concatenate([split.test for split in splits])), made.train)
    for split in splits:
        parts = [split.test, split.valid, split.train]
        assert np.array_equal(np.sort(np.concatenate(parts)), made.train)
        assert not np.isin(split.test, split.pretrain).any()
        tested = np.bincount(made.labels_of(split.test), minlength=len(sizes))
        assert (np.abs(tested - np.array(sizes) / 5) < 1).all()


def test_another_repeat_draws_other_folds() -> None:
    made = dataset([20, 20])
    first, second = (folds_of(made, repeat=repeat)[0].test for repeat in (0, 1))
    assert not np.array_equal(first, second)


def test_a_class_of_one_row_is_learnt_from_and_never_tested() -> None:
    made = dataset([12, 12, 1])
    alone = np.flatnonzero(made.labels.numpy() == 2)
    for split in folds_of(made, folds=4):
        assert np.isin(alone, split.train).all()


def test_copies_come_into_one_fold() -> None:
    made = dataset([12, 12])
    labels = made.labels.numpy()
    groups = np.array(
        [8 * label + (labels[:row] == label).sum() // 3 for row, label in enumerate(labels)]
    )
    made = replace(made, groups=groups)
    for split in folds_of(made, folds=4):
        others = np.setdiff1d(made.train, split.test)
        assert not np.isin(made.bonds[split.test], made.bonds[others]).any()


def test_folds_of_an_official_test_part_are_refused() -> None:
    with pytest.raises(UsageError, match="official test part"):
        folds_of(dataset([12, 12], test=6))


def test_more_folds_than_rows_of_a_class_are_refused_with_what_there_can_be() -> None:
    with pytest.raises(UsageError, match=r"split\.folds=3"):
        folds_of(dataset([3, 3]), folds=5)


def test_a_fold_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs folds=6 or more"):
        config(folds=5, fold=5)
