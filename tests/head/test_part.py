"""Where labels are many, settings are tried on a part of them, and the best is fitted on all."""

import logging

import numpy as np
import pytest

from ae_cls.head.fitted import FittedHead, Labelled
from ae_cls.head.part import drawn_part
from tests.head.heads import WORDS, blobs, config, quick

MANY, PART = 200, 80
IN_PART = [word for word in WORDS if config(word).most_to_choose_on is not None]


@pytest.fixture
def small_part(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in IN_PART:
        monkeypatch.setattr(type(config(word)), "most_to_choose_on", PART)


def fitted(word: str, train: Labelled, *, within: bool, **changes) -> FittedHead:
    head = quick(word).model_copy(update=changes)
    if within:
        return head.fit_within(
            train, np.arange(len(train.labels)), class_count=4, choose_by="accuracy", seed=0,
            progress=True,
        )  # fmt: skip
    return head.fit(
        train, blobs(80, seed=1), class_count=4, choose_by="accuracy", seed=0, progress=True
    )


def test_the_heads_whose_fits_are_slow_choose_on_a_part() -> None:
    assert IN_PART == ["forest", "linear", "svm"]


def test_a_part_has_of_each_class_its_share_and_of_a_rare_one_enough() -> None:
    labels = np.repeat([0, 1, 3, 4], [6000, 3000, 30, 7])
    rows = drawn_part(labels, 900, seed=3)
    counts = np.bincount(labels[rows])
    assert counts[0] == 598 and counts[1] == 299  # 900 of 9,037, rounded up
    assert counts[2] == 0 and counts[3] == 20 and counts[4] == 7
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, drawn_part(labels, 900, seed=3))
    assert not np.array_equal(rows, drawn_part(labels, 900, seed=4))


@pytest.mark.usefixtures("small_part")
@pytest.mark.parametrize("word", IN_PART)
@pytest.mark.parametrize(
    ("within", "on"),
    [
        (True, f"5 folds of {PART} of {MANY} labels"),
        (False, f"80 validation labels, fitted on {PART} of {MANY} labels"),
    ],
)
def test_the_choice_is_of_a_part_and_said_to_be(
    word: str, within: bool, on: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        facts = fitted(word, blobs(MANY), within=within).facts
    assert facts["chosen_on"] == on and f"on {on}" in caplog.text
    assert facts["labelled_rows"] == MANY


@pytest.mark.usefixtures("small_part")
@pytest.mark.parametrize("word", IN_PART)
def test_the_head_is_that_of_the_chosen_setting_on_all_rows(word: str) -> None:
    head, queries = fitted(word, blobs(MANY), within=False), blobs(40, seed=2).features
    chosen = head.facts["chosen"]
    assert isinstance(chosen, dict)
    alone = fitted(word, blobs(MANY), within=False, **{name: (v,) for name, v in chosen.items()})
    # Where nothing is to be chosen, no row is left out.
    assert alone.facts["chosen_on"] == "80 validation labels"
    # A descent that begins near its end stops at another place within the tolerance.
    assert head.predict_proba(queries) == pytest.approx(alone.predict_proba(queries), abs=0.02)


@pytest.mark.usefixtures("small_part")
@pytest.mark.parametrize("word", IN_PART)
def test_all_rows_are_tried_where_there_are_not_many_more(word: str) -> None:
    head = fitted(word, blobs(2 * PART), within=True)
    assert head.facts["chosen_on"] == f"5 folds of {2 * PART} labels"
