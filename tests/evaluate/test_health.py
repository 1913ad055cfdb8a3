import numpy as np

from ae_cls.evaluate import Metrics, evaluate, warnings


def metrics_of(confusion: list[list[int]], names: tuple[str, ...] = ("coat", "bag")) -> Metrics:
    pairs = [
        (label, answer)
        for label, row in enumerate(confusion)
        for answer, count in enumerate(row)
        for _ in range(count)
    ]
    labels, answers = np.array(pairs).T
    return evaluate(np.eye(len(names))[answers], labels, names)


def test_good_answers_give_no_warning() -> None:
    assert warnings(metrics_of([[45, 5], [5, 45]])) == []


def test_answering_one_class_only_is_named_twice() -> None:
    majority, never = warnings(metrics_of([[60, 0], [40, 0]]))
    assert majority.startswith(
        "accuracy 60.0 % (95 % interval from 50.2 %) is not shown to be above"
    )
    assert never == "never predicted: bag"


def test_an_interval_that_only_touches_the_majority_rate_is_not_above_it() -> None:
    above, touching = metrics_of([[50, 20], [0, 30]]), metrics_of([[60, 10], [15, 15]])
    assert (above["accuracy"], touching["accuracy"], touching["majority_rate"]) == (0.8, 0.75, 0.7)
    assert warnings(above) == []
    (sentence,) = warnings(touching)
    assert "75.0 %" in sentence and "70.0 %" in sentence


def test_classes_with_few_images_are_named_with_their_count() -> None:
    assert warnings(metrics_of([[30, 0], [0, 29]])) == ["fewer than 30 images: bag (29)"]


def test_of_many_classes_a_few_are_named() -> None:
    names = tuple(f"class {index}" for index in range(100))
    (sentence,) = warnings(metrics_of(np.eye(100, dtype=int).tolist(), names))
    assert sentence.endswith("class 4 (1), and 95 more")


def test_an_absent_class_is_not_called_never_predicted() -> None:
    sentences = warnings(metrics_of([[40, 0, 0], [0, 40, 0], [0, 0, 0]], ("coat", "bag", "boot")))
    assert sentences == ["fewer than 30 images: boot (0)"]


def test_control_characters_in_a_class_name_are_escaped() -> None:
    (sentence,) = warnings(metrics_of([[40, 0], [0, 9]], ("coat", "bag\x1b[31m\n")))
    assert sentence == "fewer than 30 images: bag\\x1b[31m\\n (9)"
