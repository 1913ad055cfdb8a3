import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ae_cls.evaluate.health import code_warnings, label_warnings, network_warnings, warnings
from ae_cls.evaluate.metrics import Metrics, evaluate


def metrics_of(confusion: list[list[int]], names: tuple[str, ...] = ("coat", "bag")) -> Metrics:
    pairs = [
        (label, answer)
        for label, row in enumerate(confusion)
        for answer, count in enumerate(row)
        for _ in range(count)
    ]
    labels, answers = np.array(pairs).T
    # Half sure, so that probabilities are better than the class shares where answers are.
    probabilities = 0.5 * np.eye(len(names))[answers] + 0.5 / len(names)
    return evaluate(probabilities, labels, names)


def test_good_answers_give_no_warning() -> None:
    assert warnings(metrics_of([[45, 5], [5, 45]])) == []


def test_answering_one_class_only_is_named_twice() -> None:
    majority, never, _ = warnings(metrics_of([[60, 0], [40, 0]]))
    assert majority.startswith(
        "accuracy 60.0 % (95 % interval from 50.2 %) is not shown to be above"
    )
    assert never == "every image is answered with one class: coat"


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


WEIGHING = ("head.class_weight=balanced", "labels.choose_by=balanced_accuracy")
BOTH = " ".join(WEIGHING)


def said_of(labelled: dict[str, int], **valid: int) -> list[str]:
    everywhere = dict.fromkeys(labelled, 10) | valid
    return label_warnings(labelled, everywhere, weighing=WEIGHING)


def test_even_labels_give_no_warning() -> None:
    assert said_of({"coat": 50, "bag": 40, "boot": 11}) == []


def test_a_class_of_one_is_named() -> None:
    assert said_of({"coat": 2, "bag": 1, "boot": 1}) == [
        "only one labelled training image: bag, boot"
    ]


def test_a_class_that_validation_lacks_is_named() -> None:
    (sentence,) = said_of({"coat": 20, "bag": 20, "boot": 20}, boot=0)
    assert sentence == "settings were chosen without any validation image of: boot"


@pytest.mark.parametrize(
    ("labelled", "named"),
    [
        ({"good": 216, "defect": 11}, "rare among 227 labelled training images: defect (11)"),
        ({"defect": 7, "good": 5000}, "rare among 5,007 labelled training images: defect (7)"),
        (
            {"coat": 500, "bag": 20, "boot": 500, "bow\x1b[0m": 5},
            "rare among 1,025 labelled training images: bow\\x1b[0m (5), bag (20)",
        ),
    ],
)
def test_rare_classes_are_named_with_their_numbers_and_what_to_type(
    labelled: dict[str, int], named: str
) -> None:
    assert said_of(labelled) == [f"{named}; to have every class count alike: {BOTH}"]


def test_only_what_was_not_said_is_advised() -> None:
    valid = {"good": 20, "defect": 2}
    (sentence,) = label_warnings({"good": 300, "defect": 15}, valid, weighing=WEIGHING[1:])
    assert sentence.endswith(f"alike: {WEIGHING[1]}")
    assert label_warnings({"good": 300, "defect": 15}, valid, weighing=()) == []


@given(st.lists(st.integers(2, 10_000), min_size=2, max_size=40))
def test_a_class_is_rare_by_its_share_whatever_the_number_of_classes(counts: list[int]) -> None:
    labelled = {f"class {index}": count for index, count in enumerate(counts)}
    fair = sum(counts) / len(counts)
    assert bool(said_of(labelled)) == (min(counts) < fair / 5)
    (rarest, *_) = sorted(labelled, key=lambda name: labelled[name])
    assert all(f"{rarest} ({min(counts)})" in sentence for sentence in said_of(labelled))


def test_probabilities_worse_than_the_class_shares_are_warned_of() -> None:
    labels = np.repeat([0, 1], [60, 40])
    shares = np.tile([0.6, 0.4], (100, 1))
    assert not [text for text in said(shares, labels) if "log loss" in text]
    surer = np.tile([0.61, 0.39], (100, 1))
    (sentence,) = [text for text in said(surer, labels) if "log loss" in text]
    assert sentence.startswith("log loss 0.6732 is above 0.6730, what the class shares alone")
    sure = np.where(np.eye(2)[labels] == 1, 1.0, 0.0)
    sure[:3] = sure[:3, ::-1]  # three sure mistakes of a hundred
    (sentence,) = [text for text in said(sure, labels) if "log loss" in text]
    assert sentence.startswith("log loss 1.08")


def said(probabilities: np.ndarray, labels: np.ndarray) -> list[str]:
    return warnings(evaluate(probabilities, labels, ("coat", "bag")))


def test_no_validation_image_is_missed_where_none_chose() -> None:
    assert label_warnings({"coat": 5, "bag": 5}, None, weighing=WEIGHING) == []


@pytest.mark.parametrize(("kl", "active"), [(0.04, 0), (0.04, 3), (6.4, 0)])
def test_a_code_that_says_nothing_is_named_with_what_to_change(kl: float, active: int) -> None:
    [warning] = code_warnings({"size": 64, "active": active, "kl": kl})
    assert warning.startswith(f"the code has collapsed: {active} of its 64 numbers")
    assert "autoencoder.free_bits=0.1" in warning


def test_codes_that_say_something_or_are_no_distributions_give_no_warning() -> None:
    assert code_warnings({"size": 64, "active": 12, "kl": 20.0}) == []
    assert code_warnings({}) == []


HEALTHY = {
    "size": 64, "rank": 20.0, "dead": 0.0, "dead_channels": 0.5, "saturated": 0.05,
    "mse": 0.02, "mean_image_mse": 0.07, "pca_mse": 0.01,
}  # fmt: skip


def said_of_network(**changes: float) -> list[str]:
    health = HEALTHY | changes
    return [*code_warnings(health), *network_warnings(health)]


def test_a_healthy_network_gives_no_warning() -> None:
    assert said_of_network() == []
    assert said_of_network(active=12, kl=20.0, dead=0.9) == []
    assert said_of_network(entries=256, used=200, perplexity=90.0) == []
    assert network_warnings({}) == []


@pytest.mark.parametrize(
    ("changes", "begins", "advises"),
    [
        ({"rank": 0.0}, "the codes of validation images differ in hardly", "pretrain.lr"),
        (
            {"entries": 256, "used": 9, "perplexity": 5.5},
            "the codebook has collapsed: 9 of its 256 entries",
            "autoencoder.commitment",
        ),
        ({"dead": 0.8}, "80 % of the numbers in the code are the same", "pretrain.warm_up"),
        ({"dead_channels": 0.8}, "80 % of the channels of the deepest map", "pretrain.warm_up"),
        (
            {"dead_channels": 0.8, "dead": 0.9, "active": 9, "kl": 9.0},
            "80 % of the channels of the deepest map",
            "pretrain.lr",
        ),
        ({"saturated": 0.3}, "30 % of rebuilt pixels lie outside [0, 1]", "pretrain.lr"),
        ({"mse": 0.068}, "images are rebuilt with an error of 0.0680", "pretrain=long"),
        (
            {"mse": 0.041},
            "a code of 64 numbers rebuilds far worse (error 0.0410) than as many principal",
            "pretrain=long",
        ),
    ],
)
def test_each_fault_of_a_network_is_named_once_with_what_to_change(
    changes: dict[str, float], begins: str, advises: str
) -> None:
    (sentence,) = said_of_network(**changes)
    assert sentence.startswith(begins) and advises in sentence


def test_a_code_that_is_meant_to_be_narrow_or_loses_nothing_gives_no_warning() -> None:
    assert said_of_network(size=2, rank=1.2) == []
    lossless = {name: value for name, value in HEALTHY.items() if name != "pca_mse"}
    assert network_warnings(lossless | {"mse": 0.041}) == []
