import json

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from ae_cls.evaluate.interval import wilson_interval
from ae_cls.evaluate.metrics import evaluate, expected_calibration_error, log_loss

NAMES = ("coat", "bag", "shirt", "boot")


def random_split(seed: int, count: int = 200, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(seed)
    labels = draws.integers(0, classes, size=count)
    scores = draws.normal(size=(count, classes))
    scores[np.arange(count), labels] += 1.5
    probabilities = np.exp(scores)
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_metrics_equal_those_of_scikit_learn(seed: int) -> None:
    probabilities, labels = random_split(seed)
    answers = probabilities.argmax(axis=1)
    ours = evaluate(probabilities, labels, NAMES)
    theirs = np.array(sklearn_metrics.precision_recall_fscore_support(labels, answers)).T
    assert ours["accuracy"] == sklearn_metrics.accuracy_score(labels, answers)
    assert ours["balanced_accuracy"] == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(labels, answers), abs=1e-12
    )
    assert ours["macro_f1"] == pytest.approx(
        sklearn_metrics.f1_score(labels, answers, average="macro"), abs=1e-12
    )
    assert ours["log_loss"] == pytest.approx(
        sklearn_metrics.log_loss(labels, probabilities), abs=1e-12
    )
    assert ours["confusion_matrix"] == sklearn_metrics.confusion_matrix(labels, answers).tolist()
    for name, row in zip(NAMES, theirs, strict=True):
        one = ours["per_class"][name]
        assert [one["precision"], one["recall"], one["f1"], one["n"]] == pytest.approx(
            row.tolist(), abs=1e-12
        )


def test_metrics_have_exactly_the_keys_of_the_run_folder() -> None:
    found = evaluate(*random_split(0), NAMES)
    assert set(found) == {
        "accuracy",
        "accuracy_ci95",
        "balanced_accuracy",
        "macro_f1",
        "log_loss",
        "ece",
        "per_class",
        "confusion_matrix",
        "majority_rate",
        "independent",
        "n",
    }
    assert list(found["per_class"]) == list(NAMES)
    assert set(found["per_class"]["bag"]) == {"precision", "recall", "recall_ci95", "f1", "n"}


# Three coats (two right, one called a bag), one bag (right), no shirt (called once), no boot.
HAND_PROBABILITIES = np.array(
    [[0.7, 0.1, 0.1, 0.1], [0.4, 0.2, 0.2, 0.2], [0.0, 1.0, 0.0, 0.0], [0.2, 0.8, 0.0, 0.0]]
)
HAND_LABELS = np.array([0, 0, 0, 1])


def test_a_hand_made_case_has_the_numbers_worked_out_by_hand() -> None:
    found = evaluate(HAND_PROBABILITIES, HAND_LABELS, NAMES)
    assert found["accuracy"] == 0.75
    assert found["accuracy_ci95"] == list(wilson_interval(3, 4))
    assert found["majority_rate"] == 0.75
    assert found["n"] == 4
    assert found["confusion_matrix"] == [[2, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert found["per_class"]["coat"] == {
        "precision": 1.0,
        "recall": 2 / 3,
        "recall_ci95": list(wilson_interval(2, 3)),
        "f1": 0.8,
        "n": 3,
    }
    assert found["per_class"]["bag"]["precision"] == 0.5


def test_an_absent_class_is_null_and_left_out_of_the_means() -> None:
    found = evaluate(HAND_PROBABILITIES, HAND_LABELS, NAMES)
    nothing = {"precision": None, "recall": None, "recall_ci95": None, "f1": None, "n": 0}
    assert found["per_class"]["boot"] == nothing
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)


def test_an_absent_class_that_was_predicted_has_precision_0_and_no_f1() -> None:
    found = evaluate(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([0, 0]), ("coat", "bag"))
    assert found["per_class"]["bag"]["precision"] == 0.0
    assert found["per_class"]["bag"]["f1"] is None
    assert found["macro_f1"] == pytest.approx(2 / 3)


def test_a_class_that_is_never_predicted_has_recall_0_and_no_precision() -> None:
    found = evaluate(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]), ("coat", "bag"))
    one = found["per_class"]["bag"]
    assert (one["precision"], one["recall"], one["f1"]) == (None, 0.0, 0.0)


def test_a_sure_mistake_costs_36_nats() -> None:
    found = evaluate(np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([0, 1]), ("coat", "bag"))
    assert found["log_loss"] == pytest.approx(-np.log(2.220446049250313e-16) / 2)


def test_ties_go_to_the_first_class() -> None:
    found = evaluate(np.full((3, 3), 1 / 3), np.array([0, 1, 2]), ("coat", "bag", "shirt"))
    assert found["confusion_matrix"] == [[1, 0, 0]] * 3


def test_metrics_are_json_without_nan_and_come_back_equal() -> None:
    found = evaluate(HAND_PROBABILITIES, HAND_LABELS, NAMES)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_calibration_error_of_a_hand_made_case() -> None:
    # Bins of 1/15: 0.61 and 0.62 share one (one of two right), 0.95 is alone and right.
    probabilities = np.array([[0.61, 0.39], [0.38, 0.62], [0.95, 0.05]])
    labels = np.array([0, 0, 0])
    expected = (2 / 3) * abs(0.5 - 0.615) + (1 / 3) * abs(1 - 0.95)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected)


def test_calibration_has_fifteen_bins() -> None:
    # 10/15 lies between the two: they do not mix, though their errors have different signs.
    probabilities = np.array([[0.66, 0.34], [0.67, 0.33]])
    expected = (abs(1 - 0.66) + abs(0 - 0.67)) / 2
    assert expected_calibration_error(probabilities, np.array([0, 1])) == pytest.approx(expected)


def test_calibration_bins_are_closed_above() -> None:
    # 0.6 = 9/15 ends its bin, so it does not mix with 0.61, whose error has the other sign.
    probabilities = np.array([[0.6, 0.4], [0.61, 0.39]])
    expected = (abs(1 - 0.6) + abs(0 - 0.61)) / 2
    assert expected_calibration_error(probabilities, np.array([0, 1])) == pytest.approx(expected)


def test_sure_and_right_is_perfectly_calibrated_and_sure_and_wrong_is_not_at_all() -> None:
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert expected_calibration_error(sure, np.array([0, 1])) == 0.0
    assert expected_calibration_error(sure, np.array([1, 0])) == 1.0


def test_one_class_is_answered_right_always() -> None:
    found = evaluate(np.ones((5, 1)), np.zeros(5, dtype=np.int64), ("coat",))
    assert (found["accuracy"], found["majority_rate"], found["ece"]) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("probabilities", "labels", "names"),
    [
        (np.full((2, 2), 0.5), [0, 1], ("coat", "coat")),
        (np.full((2, 2), 0.5), [0, -1], ("coat", "bag")),
        (np.full((2, 2), 0.5), [0, 2], ("coat", "bag")),
        (np.full((2, 2), 0.5), [0, 1], ("coat", "bag", "boot")),
        (np.full((2, 2), np.nan), [0, 1], ("coat", "bag")),
        (np.zeros((0, 2)), [], ("coat", "bag")),
    ],
    ids=["repeated name", "no label", "unknown label", "too many names", "nan", "nothing"],
)
def test_input_that_breaks_the_contract_is_refused(
    probabilities: np.ndarray, labels: list[int], names: tuple[str, ...]
) -> None:
    with pytest.raises(AssertionError):
        evaluate(probabilities, np.array(labels, dtype=np.int64), names)


def test_a_log_loss_of_nothing_has_no_sign() -> None:
    loss = log_loss(np.eye(2), np.array([0, 1]))
    assert f"{loss:.4f}" == "0.0000"
