"""What a reader should know before believing the numbers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ae_cls.errors import printable, some
from ae_cls.evaluate.metrics import Metrics

FEW_IMAGES = 30
"""Below this the recall of a class is only worth its interval."""

RARE = 5
"""A class with fewer than one in so many of the labels that equal shares would give it is rare."""

_LEAST_KL = 1.0  # nats: a code that says less cannot tell three images apart

_FEWEST_DIRECTIONS = 1.5  # effective rank; raw pixels have ten times as many
_FEW_NUMBERS = 4  # with fewer, a code is meant to be narrow

_NAMED = 5  # of a hundred classes name a few, count the rest


def warnings(metrics: Metrics, valid: Metrics | None = None) -> list[str]:
    """One sentence for each thing that makes the numbers of a split weak; often none.

    Args:
        metrics: of the part that a run is judged by.
        valid: of validation, where that is another part.
    """
    of_valid = [] if valid is None else _not_above_majority(valid)
    return [
        *_not_above_majority(metrics),
        *(f"on validation, {text}" for text in of_valid),
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


def code_warnings(reconstruction: Mapping[str, Any]) -> list[str]:
    """A sentence where the codes, as distributions, say next to nothing of the images.

    Args:
        reconstruction: as in `metrics.json`; empty where nothing was rebuilt.
    """
    code = reconstruction.get("code")
    if code is None or (code["kl"] >= _LEAST_KL and code["active"] > 0):
        return []
    return [
        f"the code has collapsed: {code['active']} of its {code['size']} numbers differ between "
        f"images (KL {code['kl']:.2g} nats), and features of it say nothing; a lower "
        "autoencoder.beta, a longer autoencoder.warm_up, autoencoder.free_bits=0.1, a smaller "
        "autoencoder.latent_dim or longer training (pretrain=long)"
    ]


def _not_above_majority(metrics: Metrics) -> list[str]:
    low, majority = metrics["accuracy_ci95"][0], metrics["majority_rate"]
    if low > majority:
        return []
    return [
        f"accuracy {100 * metrics['accuracy']:.1f} % (95 % interval from {100 * low:.1f} %) is not "
        f"shown to be above {100 * majority:.1f} %, the share of the most frequent class"
    ]


def head_warnings(facts: Mapping[str, Any]) -> list[str]:
    """A sentence where fitting the head ended before there was nothing left to gain.

    Args:
        facts: of the head, as in `metrics.json`; without `converged` where it does not iterate.
    """
    if facts.get("converged") is not False:
        return []
    more = "head.max_steps" if "steps" in facts else "head.epochs"
    return [f"the head has not converged, and may do better with a larger {more}"]


def feature_warnings(effective_rank: float, *, numbers: int) -> list[str]:
    """A sentence where features hardly differ between images; often none.

    Args:
        effective_rank: of the features of validation images.
        numbers: features of an image.
    """
    if effective_rank == 0:
        return ["all validation images have the same features: nothing can be told from them"]
    if effective_rank >= _FEWEST_DIRECTIONS or numbers < _FEW_NUMBERS:
        return []
    return [
        f"the features of validation images differ in hardly more than one direction (effective "
        f"rank {effective_rank:.2f} of {numbers} numbers): they may have collapsed"
    ]


def image_warnings(different: int, *, images: int) -> list[str]:
    """A sentence where there is nothing to learn from training images; often none."""
    if different > 1 or images < 2:
        return []
    return [f"all {images:,} training images are equal: an encoder learns nothing from them"]


def _never_predicted(metrics: Metrics) -> list[str]:
    answered = [sum(column) for column in zip(*metrics["confusion_matrix"], strict=True)]
    if metrics["n"] > 1 and max(answered) == metrics["n"]:
        only = list(metrics["per_class"])[answered.index(metrics["n"])]
        return [f"every image is answered with one class: {listed([only])}"]
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
