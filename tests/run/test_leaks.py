"""What parts share is counted in the result and said in a sentence."""

from dataclasses import replace

import numpy as np

from ae_cls.dataset.contract import Dataset
from ae_cls.dataset.copies import Copies
from ae_cls.dataset.split import make_split
from ae_cls.evaluate.metrics import evaluate
from ae_cls.run.leaks import groups, leaks, notes
from tests.dataset.test_split import config, dataset, labels


def with_copies(data: Dataset, pairs: list[tuple[int, int]]) -> Dataset:
    alike = np.arange(len(data.labels))
    for first, second in pairs:
        alike[second] = alike[first]
    return replace(data, copies=Copies(np.arange(len(alike), dtype=np.uint64), alike, True))


def test_test_images_that_training_has_too_are_counted_and_named() -> None:
    data = with_copies(dataset([20, 20], test=10), [(3, 42), (7, 45), (8, 9)])
    split = make_split(data, config(valid=0.25), labels(), seed=0)
    trained = [row for row in (3, 7) if row in split.train]
    found = leaks(data, split)
    assert (found["copies"], found["sets"]) == (6, 3)
    assert found["seen_in_training"]["test"] == len(trained) > 0
    assert any(
        f"{len(trained)} of 10 test images are equal or nearly" in n for n in notes(data, split)
    )


def test_nothing_is_said_of_pictures_without_copies() -> None:
    data = with_copies(dataset([20, 20], test=10), [])
    split = make_split(data, config(), labels(), seed=0)
    assert not list(notes(data, split))
    assert leaks(data, split)["copies"] == 0
    assert groups(data, split) == {}


def test_copies_in_parts_of_ours_are_seen_in_no_other() -> None:
    data = with_copies(dataset([20, 20]), [(n, n + 1) for n in range(0, 40, 2)])
    labels_of = data.labels.clone()
    labels_of[1::2] = labels_of[::2]
    data = replace(data, labels=labels_of)
    split = make_split(data, config(), labels(), seed=0)
    assert leaks(data, split)["seen_in_training"] == {"valid": 0, "test": 0}
    assert leaks(data, split)["sets_with_two_labels"] == 0


def test_two_labels_of_one_set_are_counted() -> None:
    data = dataset([20, 20])
    first, second = (int(np.flatnonzero(data.labels.numpy() == n)[0]) for n in (0, 1))
    data = with_copies(data, [(first, second)])
    split = make_split(data, config(), labels(), seed=0)
    assert leaks(data, split)["sets_with_two_labels"] == 1
    assert any("two labels" in note for note in notes(data, split))


def test_groups_in_official_parts_are_told_of() -> None:
    data = with_copies(dataset([20, 20], test=10), [])
    data = replace(data, groups=np.arange(50) % 5)
    split = make_split(data, config(), labels(), seed=0)
    found = groups(data, split)
    assert (found["count"], found["images"]) == (5, 50)
    # Validation is ours, so one group went there whole; its test images are in no other part.
    assert found["seen_in_training"] == {"valid": 0, "test": 8}
    assert any("are of groups that training images are of, too" in n for n in notes(data, split))


def test_intervals_count_units_not_rows() -> None:
    answers = np.repeat([0.9, 0.1], [6, 2])[:, None]
    chances = np.concatenate([answers, 1 - answers], 1)
    truth = np.zeros(8, np.int64)
    alone = evaluate(chances, truth, ("a", "b"))
    paired = evaluate(chances, truth, ("a", "b"), np.arange(8) // 2)
    four = evaluate(chances[::2], truth[::2], ("a", "b"))
    assert alone["independent"] == 8 and paired["independent"] == 4
    assert paired["accuracy"] == alone["accuracy"] == 0.75
    assert paired["accuracy_ci95"] == four["accuracy_ci95"]
    assert paired["per_class"]["a"]["recall_ci95"] == four["per_class"]["a"]["recall_ci95"]
