"""Weights that let rare classes count as much as frequent ones, made in this one place."""

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from ae_cls.head.fitted import Fact, Labels

ClassWeight = Literal["balanced"] | None
"""How classes are weighed, as the user names it; None: each row counts alike."""

Weights = Float64[np.ndarray, " k"]
"""One number a class; their mean over the labelled rows is 1, so that C and rates keep meaning."""


def class_weights(rule: ClassWeight, labels: Labels, class_count: int) -> Weights | None:
    """n / (k * n_class) of the labelled rows, as scikit-learn's `class_weight="balanced"`.

    https://scikit-learn.org/stable/modules/generated/sklearn.utils.class_weight.compute_class_weight.html,
    after King and Zeng, "Logistic Regression in Rare Events Data", 2001. k counts the classes that
    have a labelled row; the others weigh 0.

    None where nothing is to be weighed: without a rule, or with equally many rows of each class.
    """
    counts = np.bincount(labels, minlength=class_count)
    seen = counts > 0
    if rule is None or len(np.unique(counts[seen])) == 1:
        return None
    weights = np.zeros(class_count)
    weights[seen] = len(labels) / (np.count_nonzero(seen) * counts[seen])
    return weights


def weighed_cross_entropy(
    logits: Float[Tensor, "b k"],
    labels: Int64[Tensor, " b"],
    weights: Weights | None,
    *,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Mean over the rows of their cross-entropy, each as heavy as its class.

    Not torch's own `weight`, which divides by the weights of the batch: a batch would count as much
    without a rare class as with it, and a part of a batch in each process would have its own scale.
    """
    if weights is None:
        return functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    return weighed_losses(logits, labels, weights, label_smoothing=label_smoothing).mean()


def weighed_losses(
    logits: Float[Tensor, "b k"],
    labels: Int64[Tensor, " b"],
    weights: Weights | None,
    *,
    label_smoothing: float,
) -> Float[Tensor, " b"]:
    """The cross-entropy of each row, as heavy as its class."""
    losses = functional.cross_entropy(
        logits, labels, label_smoothing=label_smoothing, reduction="none"
    )
    return losses if weights is None else losses * torch.from_numpy(weights).to(losses)[labels]


def weight_facts(rule: ClassWeight, weights: Weights | None) -> dict[str, Fact]:
    """What metrics.json says of them, in the order of the classes."""
    if rule is None:
        return {"class_weight": None}
    if weights is None:
        return {
            "class_weight": {"rule": rule, "weights": "1: all classes have equally many labels"}
        }
    return {
        "class_weight": {"rule": rule, "weights": weights.tolist(), "probabilities": PROBABILITIES}
    }


PROBABILITIES = (
    "as if all classes were equally frequent, which is what decides; divided by the weights and "
    "scaled to sum to 1, they are those of classes as frequent as in training"
)
"""What a head's probabilities mean that was fitted with weights."""
