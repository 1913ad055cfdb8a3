"""What a reader should know before believing the numbers."""

import math
from collections.abc import Mapping, Sequence

from ae_cls.errors import printable, some
from ae_cls.evaluate.metrics import Metrics

FEW_IMAGES = 30
"""Below this the recall of a class is only worth its interval."""

RARE = 5
"""A class with fewer than one in so many of the labels that equal shares would give it is rare."""

_NAMED = 5  # of a hundred classes name a few, count the rest


def warnings(metrics: Metrics) -> list[str]:
    """One sentence for each thing that makes the numbers of a split weak; often none."""
    return [
        *_not_above_majority(metrics),
        *_never_predicted(metrics),
        *_worse_than_shares(metrics),
        *_few_images(metrics),
    ]


def label_warnings(
    labelled: Mapping[str, int], valid: Mapping[str, int] | None, *, weighing: Sequence[str]
) -> list[str]:
    """One sentence for each thing that too few labels make weak; often none.

    Args:
        labelled: labelled training images of each class.
        valid: validation images of each class; None: settings were not chosen on them.
        weighing: words, not said yet, with which all classes count alike; none: they do.
    """
    unseen = [] if valid is None else _not_chosen_on(valid)
    return [*_single(labelled), *unseen, *_rare(labelled, weighing)]


def _not_above_majority(metrics: Metrics) -> list[str]:
    low, majority = metrics["accuracy_ci95"][0], metrics["majority_rate"]
    if low > majority:
        return []
    return [
        f"accuracy {100 * metrics['accuracy']:.1f} % (95 % interval from {100 * low:.1f} %) is not "
        f"shown to be above {100 * majority:.1f} %, the share of the most frequent class"
    ]


def _never_predicted(metrics: Metrics) -> list[str]:
    answered = [sum(column) for column in zip(*metrics["confusion_matrix"], strict=True)]
    classes = zip(metrics["per_class"].items(), answered, strict=True)
    names = [name for (name, one), count in classes if one["n"] > 0 and count == 0]
    return [f"never predicted: {listed(names)}"] if names else []


def _worse_than_shares(metrics: Metrics) -> list[str]:
    """Saying the class shares of each image is the least that probabilities should beat."""
    shares = [one["n"] / metrics["n"] for one in metrics["per_class"].values() if one["n"]]
    of_shares = -sum(share * math.log(share) for share in shares)
    if metrics["log_loss"] <= of_shares:
        return []
    return [
        f"log loss {metrics['log_loss']:.4f} is above {of_shares:.4f}, what the class shares alone "
        "would have as probabilities: believe the classes more than the probabilities"
    ]


def _few_images(metrics: Metrics) -> list[str]:
    few = [(name, one["n"]) for name, one in metrics["per_class"].items() if one["n"] < FEW_IMAGES]
    if not few:
        return []
    return [f"fewer than {FEW_IMAGES} images: {listed([f'{name} ({n})' for name, n in few])}"]


def _single(labelled: Mapping[str, int]) -> list[str]:
    names = [name for name, count in labelled.items() if count == 1]
    return [f"only one labelled training image: {listed(names)}"] if names else []


def _not_chosen_on(valid: Mapping[str, int]) -> list[str]:
    names = [name for name, count in valid.items() if count == 0]
    if not names:
        return []
    return [f"settings were chosen without any validation image of: {listed(names)}"]


def _rare(labelled: Mapping[str, int], weighing: Sequence[str]) -> list[str]:
    total = sum(labelled.values())
    names = [
        f"{name} ({count})"
        for name, count in sorted(labelled.items(), key=lambda item: item[1])
        if count * RARE * len(labelled) < total
    ]
    if not names or not weighing:
        return []
    return [
        f"rare among {total:,} labelled training images: {listed(names)}; "
        f"to have every class count alike: {' '.join(weighing)}"
    ]


def listed(names: Sequence[str]) -> str:
    """Names of classes as messages have them: a few, and how many more; on one line."""
    return ", ".join(printable(name).replace("\n", "\\n") for name in some(list(names), _NAMED))
