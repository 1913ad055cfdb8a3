"""Settings chosen within the labels, by folds of them: asked of every option in configs/head."""

import json
import logging

import numpy as np
import pytest

from ae_cls.head import linear
from ae_cls.head.contract import TOO_FEW
from ae_cls.head.fitted import FittedHead, Labelled
from tests.head.heads import WORDS, blobs, config, one_setting, quick

TINY = {
    "boosting": {"iterations": 20},
    "forest": {"trees": 20},
    "mlp": {"epochs": 30, "width": [16]},
}


def within(
    word: str, train: Labelled, classes: int = 4, *, units: np.ndarray | None = None, seed: int = 0
) -> FittedHead:
    units = np.arange(len(train.labels)) if units is None else units
    return config(word, **TINY.get(word, {})).fit_within(
        train, units, class_count=classes, choose_by="accuracy", seed=seed, progress=False
    )


def facts_of(head: FittedHead) -> dict:
    return json.loads(json.dumps(dict(head.facts), allow_nan=False))


@pytest.mark.parametrize("word", WORDS)
def test_it_learns_and_tells_on_what_it_chose(word: str, caplog: pytest.LogCaptureFixture) -> None:
    test = blobs(80, seed=2)
    with caplog.at_level(logging.INFO):
        head = quick(word).fit_within(
            blobs(60), np.arange(60), class_count=4, choose_by="accuracy", seed=0, progress=True
        )
    assert (head.predict_proba(test.features).argmax(axis=1) == test.labels).mean() > 0.8
    facts = facts_of(head)
    assert facts["chosen_on"] == "5 folds of 60 labels" and "on 5 folds of 60 labels" in caplog.text
    assert facts["labelled_rows"] == 60
    best = max(facts["trials"], key=lambda row: (row["folds_accuracy"], -row["folds_log_loss"]))
    assert facts["chosen"].items() <= best.items()
    loaded = config(word).load(head.files())
    assert loaded.predict_proba(test.features).tobytes() == (
        head.predict_proba(test.features).tobytes()
    )


@pytest.mark.parametrize("word", WORDS)
def test_the_chosen_setting_is_fitted_again_on_all_rows(word: str) -> None:
    head, chosen = within(word, blobs(40)), facts_of(within(word, blobs(40)))["chosen"]
    alone = config(word, **TINY.get(word, {})).narrowed(chosen)
    again = alone.fit_within(
        blobs(40), np.arange(40), class_count=4, choose_by="accuracy", seed=0, progress=False
    )
    queries = blobs(20, seed=2).features
    # A temperature or a number of epochs is found by the same folds again.
    assert again.predict_proba(queries) == pytest.approx(head.predict_proba(queries), abs=2e-2)


@pytest.mark.parametrize("per_class", [1, 2, 3])
@pytest.mark.parametrize("word", WORDS)
def test_a_few_labels_a_class_are_enough(word: str, per_class: int) -> None:
    head = within(word, blobs(4 * per_class))
    on = TOO_FEW if per_class == 1 else f"{per_class} folds of {4 * per_class} labels"
    assert facts_of(head)["chosen_on"] == on
    probabilities = head.predict_proba(blobs(40, seed=1).features)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == blobs(40, seed=1).labels).mean() > 0.25


@pytest.mark.parametrize("word", WORDS)
def test_with_one_label_a_class_the_middle_of_each_list_is_taken(word: str) -> None:
    head = within(word, blobs(4))
    middle = config(word, **TINY.get(word, {})).middle()
    assert facts_of(head)["chosen"].items() <= middle.items()
    for name, values in (
        (n, v) for n, v in config(word, **TINY.get(word, {})) if isinstance(v, tuple)
    ):
        assert middle[name] == values[(len(values) - 1) // 2]


@pytest.mark.parametrize("word", WORDS)
def test_a_class_of_one_and_classes_without_labels_do_no_harm(word: str) -> None:
    train = blobs(40)
    kept = (train.labels != 3) | (np.arange(40) == 3)
    probabilities = within(word, train.rows(np.flatnonzero(kept)), 6).predict_proba(
        blobs(40, seed=1).features
    )
    assert not probabilities[:, 4:].any() and probabilities[:, 3].any()


@pytest.mark.parametrize("word", WORDS)
def test_two_fits_give_the_same_files(word: str) -> None:
    assert within(word, blobs(30)).files() == within(word, blobs(30)).files()


@pytest.mark.parametrize("word", WORDS)
def test_a_single_setting_is_judged_by_folds_too(word: str) -> None:
    head = one_setting(word).fit_within(
        blobs(40), np.arange(40), class_count=4, choose_by="macro_f1", seed=0, progress=False
    )
    (row,) = facts_of(head)["trials"]
    assert 0 < row["folds_macro_f1"] <= 1


def test_copies_that_are_not_told_of_are_recognised_and_those_told_of_are_not() -> None:
    # Noise with drawn labels, each row twice: a neighbour knows the label of its copy.
    draws = np.random.default_rng(0)
    labels, features = draws.integers(0, 2, 40), draws.normal(size=(40, 6)).astype(np.float32)
    twice = Labelled(np.tile(features, (2, 1)), np.tile(labels, 2))
    apart, together = (
        facts_of(within("knn", twice, 2, units=units))["trials"][0]["folds_accuracy"]
        for units in (np.arange(80), np.tile(np.arange(40), 2))
    )
    assert apart > 0.9 and together < 0.7


RISING = tuple(10.0**power for power in range(-4, 6))


def test_larger_values_are_not_tried_once_two_in_a_row_were_worse(monkeypatch) -> None:
    train = blobs(60, 3, seed=3)
    head = fitted_linear(train, C=RISING)
    tried = [row["C"] for row in facts_of(head)["trials"]]
    monkeypatch.setattr(linear, "_ENOUGH_WORSE", 99)
    every = fitted_linear(train, C=RISING)
    scores = [(row["folds_accuracy"], -row["folds_log_loss"]) for row in facts_of(every)["trials"]]
    best = scores.index(max(scores[: len(tried)]))
    assert len(tried) == min(len(RISING), best + 3) < len(RISING)
    assert facts_of(head)["trials"] == facts_of(every)["trials"][: len(tried)]


def test_values_in_no_order_are_all_tried() -> None:
    head = fitted_linear(blobs(60, 3), C=(10.0, 0.001, 1.0, 0.01, 0.1))
    assert len(facts_of(head)["trials"]) == 5


def fitted_linear(train, C):
    head = config("linear", C=[*C])
    return head.fit_within(
        train, np.arange(len(train.labels)), class_count=3, choose_by="accuracy", seed=0,
        progress=False,
    )  # fmt: skip
