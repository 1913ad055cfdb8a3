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
_MOST_DEAD = 0.75  # half of the relu units of a healthy dense layer may be silent
_LEAST_PERPLEXITY = 0.02  # of the entries of a codebook
_MOST_SATURATED = 0.25  # healthy networks of 8x8 pixels come to 0.1
_HARDLY_BETTER = 0.95  # of the error of the mean image
_FAR_FROM_PCA = 4  # times its error; what predicts hidden cells or HOG comes to 2 or 3

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


def code_warnings(health: Mapping[str, Any]) -> list[str]:
    """A sentence where codes say next to nothing of the images, and what to change; often none.

    Args:
        health: as in `metrics.json`, or what there is of it.
    """
    if "kl" in health and (health["kl"] < _LEAST_KL or health["active"] == 0):
        return [
            f"the code has collapsed: {health['active']} of its {health['size']} numbers differ "
            f"between images (KL {health['kl']:.2g} nats), and features of it say nothing; a lower "
            "autoencoder.beta, a longer autoencoder.warm_up, autoencoder.free_bits=0.1, a smaller "
            "autoencoder.latent_dim or longer training (pretrain=long)"
        ]
    if "rank" in health and health["rank"] < _FEWEST_DIRECTIONS and health["size"] >= _FEW_NUMBERS:
        return [
            f"the codes of validation images differ in hardly more than one direction (effective "
            f"rank {health['rank']:.2f} of {health['size']} numbers): they have collapsed; a lower "
            "pretrain.lr, a longer pretrain.warm_up or longer training (pretrain=long)"
        ]
    if "entries" in health and health["perplexity"] < 1 + _LEAST_PERPLEXITY * health["entries"]:
        return [
            f"the codebook has collapsed: {health['used']} of its {health['entries']} entries are "
            f"in use (perplexity {health['perplexity']:.1f}); a smaller autoencoder.commitment, "
            "fewer autoencoder.codes or a lower pretrain.lr"
        ]
    return []


def network_warnings(health: Mapping[str, Any]) -> list[str]:
    """A sentence for each other thing that is wrong with a pretrained network; often none.

    Args:
        health: as in `metrics.json`; empty where it was not measured.
    """
    if "mse" not in health:
        return []
    return [*_dead(health), *_saturated(health), *_badly_rebuilt(health)]


def _dead(health: Mapping[str, Any]) -> list[str]:
    # Of a code of distributions, numbers without a use are the rule: `code_warnings` counts them.
    share, which = health["dead"], "numbers in the code"
    if "kl" in health or health["dead_channels"] > share:
        share, which = health["dead_channels"], "channels of the deepest map"
    if share <= _MOST_DEAD:
        return []
    return [
        f"{100 * share:.0f} % of the {which} are the same for all validation images: these units "
        "are dead; a lower pretrain.lr or a longer pretrain.warm_up, or a narrower autoencoder"
    ]


def _saturated(health: Mapping[str, Any]) -> list[str]:
    share = health["saturated"]
    if share <= _MOST_SATURATED:
        return []
    return [
        f"{100 * share:.0f} % of rebuilt pixels lie outside [0, 1], or at its border where the "
        "images do not: a higher pretrain.lr if the loss still falls, a lower one if it jumps, or "
        "longer training (pretrain=long)"
    ]


def _badly_rebuilt(health: Mapping[str, Any]) -> list[str]:
    mse, mean_image, pca = health["mse"], health["mean_image_mse"], health.get("pca_mse")
    if mse > _HARDLY_BETTER * mean_image > 0:
        return [
            f"images are rebuilt with an error of {mse:.4f}, and the mean training image alone has "
            f"{mean_image:.4f}: next to nothing has been learnt; another pretrain.lr, or longer "
            "training (pretrain=long)"
        ]
    if pca is None or mse <= _FAR_FROM_PCA * pca:
        return []
    return [
        f"a code of {health['size']} numbers rebuilds far worse (error {mse:.4f}) than as many "
        f"principal components ({pca:.4f}): the network is undertrained or broken; longer "
        "training (pretrain=long), another pretrain.lr, or autoencoder=pca"
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
