import json
import logging
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from ae_cls.errors import TrainingError
from ae_cls.evaluate.metrics import Measure
from ae_cls.head.choice import Choice, score
from ae_cls.head.fitted import Labels, Probabilities

Offer = tuple[str, Probabilities]


def offer(name: str, *right: float) -> Offer:
    """Probabilities of the right class of four rows of class 0, 1, 0, 1."""
    table = [[p, 1 - p] if row % 2 == 0 else [1 - p, p] for row, p in enumerate(right)]
    return name, np.array(table)


LABELS = np.array([0, 1, 0, 1])


def choice(*offers: Offer, labels: Labels = LABELS, by: Measure = "accuracy") -> Choice:
    made = Choice(
        name="test", labels=labels, by=by, on="4 validation labels", prefix="valid", aloud=True
    )
    for name, probabilities in offers:
        is_best = made.offer({"name": name}, probabilities)
        assert is_best == (made.chosen == {"name": name})
    return made


def chosen(*offers: Offer) -> object:
    return choice(*offers).chosen["name"]


def test_accuracy_comes_first() -> None:
    sure_and_wrong = offer("sure", 0.99, 0.99, 0.99, 0.49)
    assert chosen(sure_and_wrong, offer("right", 0.6, 0.6, 0.6, 0.6)) == "right"


def test_equal_accuracy_is_parted_by_log_loss() -> None:
    assert chosen(offer("dull", 0.6, 0.6, 0.6, 0.6), offer("clear", 0.9, 0.9, 0.9, 0.9)) == "clear"


def test_equal_scores_are_parted_by_order() -> None:
    assert chosen(offer("first", 0.7, 0.7, 0.7, 0.7), offer("last", 0.7, 0.7, 0.7, 0.7)) == "first"


def test_probabilities_that_are_not_finite_are_refused() -> None:
    made = choice()
    with pytest.raises(TrainingError) as refusal:
        made.offer({"C": 3.0}, np.full((4, 2), np.nan))
    assert refusal.value.where == "head.C=3.0"


def test_every_offer_is_recorded() -> None:
    rows = choice(offer("one", 0.9, 0.9, 0.2, 0.9), offer("two", 0.6, 0.6, 0.6, 0.6)).facts()
    assert rows["trials"] == [
        {"name": "one", "valid_accuracy": 0.75, "valid_log_loss": pytest.approx(0.4814, abs=1e-4)},
        {"name": "two", "valid_accuracy": 1.0, "valid_log_loss": pytest.approx(-np.log(0.6))},
    ]
    assert rows["chosen_on"] == "4 validation labels"


def rare_found_or_not() -> list[Offer]:
    """Two of ten rows are rare: all are called common, or both are found for three errors."""
    common = np.tile([0.9, 0.1], (10, 1))
    both = common.copy()
    both[[0, 1, 2, 8, 9]] = [0.4, 0.6]
    return [("all common", common), ("rare found", both)]


IMBALANCED = np.repeat([0, 1], [8, 2])


@pytest.mark.parametrize(
    ("by", "best", "spoken", "reached"),
    [
        ("accuracy", "all common", "accuracy 0.8000", 0.8),
        ("balanced_accuracy", "rare found", "balanced accuracy 0.8125", 0.8125),
        ("macro_f1", "rare found", "macro F1 0.6703", 0.670),
    ],
)
def test_the_measure_decides_and_is_named(
    by: Measure, best: str, spoken: str, reached: float, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        made = choice(*rare_found_or_not(), labels=IMBALANCED, by=by)
    facts = json.loads(json.dumps(made.facts()))
    assert facts["chosen"] == {"name": best} and facts["chosen_by"] == by
    (row,) = [row for row in facts["trials"] if row["name"] == best]
    assert row[f"valid_{by}"] == pytest.approx(reached, abs=1e-3)
    assert f"name {best}: {spoken}, log loss" in caplog.text
    assert "on 4 validation labels" in caplog.text


@pytest.mark.parametrize(
    ("by", "theirs"),
    [
        ("accuracy", accuracy_score),
        ("balanced_accuracy", balanced_accuracy_score),
        ("macro_f1", partial(f1_score, average="macro")),
    ],
)
def test_each_measure_agrees_with_scikit_learn(by: Measure, theirs: Callable) -> None:
    table = np.random.default_rng(0).dirichlet(np.ones(3), size=50)
    labels = np.repeat([0, 1, 2], [30, 15, 5])
    reached, loss = score(table, labels, by)
    assert reached == pytest.approx(theirs(labels, table.argmax(axis=1)))
    assert loss == pytest.approx(log_loss(labels, table), rel=1e-6)


def test_score_agrees_with_scikit_learn() -> None:
    table = np.random.default_rng(0).dirichlet(np.ones(3), size=50)
    table[0] = [1, 0, 0]
    labels = np.arange(50) % 3
    labels[0] = 2  # had probability 0
    accuracy, loss = score(table, labels, "accuracy")
    assert accuracy == (table.argmax(axis=1) == labels).mean()
    assert loss == pytest.approx(log_loss(labels, table), rel=1e-6)


def test_certainty_that_is_right_costs_nothing_and_has_no_sign(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        choice(offer("sure", 1.0, 1.0, 1.0, 1.0))
    assert "log loss 0.0000" in caplog.text
