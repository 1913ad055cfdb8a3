"""The losses of linear models: of blocks of arrays, with slopes, and as autograd wants them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional


@final
@dataclass(frozen=True)
class Loss:
    """A loss of scores and class indices, in two forms that say the same.

    Attributes:
        of_block: the parts of each row's loss, and its slope at each score.
        of_tensors: each row's loss, to be differentiated.
    """

    of_block: Callable[
        [Float[np.ndarray, "b k"], Int64[np.ndarray, " b"]],
        tuple[Float[np.ndarray, "b j"], Float[np.ndarray, "b k"]],
    ]
    of_tensors: Callable[[Float[Tensor, "b k"], Int64[Tensor, " b"]], Float[Tensor, " b"]]


def log_loss(
    scores: Float[np.ndarray, "b k"], labels: Int64[np.ndarray, " b"]
) -> tuple[Float[np.ndarray, "b 1"], Float[np.ndarray, "b k"]]:
    """Multinomial log loss."""
    rows = np.arange(len(labels))
    shifted = scores - scores.max(axis=1, keepdims=True)
    slope = np.exp(shifted)
    sums = slope.sum(axis=1, keepdims=True)
    losses = np.log(sums) - shifted[rows, labels][:, None]
    slope /= sums
    slope[rows, labels] -= 1
    return losses, slope


def squared_hinge(
    scores: Float[np.ndarray, "b k"], labels: Int64[np.ndarray, " b"]
) -> tuple[Float[np.ndarray, "b k"], Float[np.ndarray, "b k"]]:
    """Squared hinge loss of each class against the rest, as scikit-learn's LinearSVC."""
    signs = np.full_like(scores, -1.0)
    signs[np.arange(len(labels)), labels] = 1
    short = np.maximum(1 - signs * scores, 0)
    return np.square(short), -2 * signs * short


def _log_loss_of_tensors(
    scores: Float[Tensor, "b k"], labels: Int64[Tensor, " b"]
) -> Float[Tensor, " b"]:
    return functional.cross_entropy(scores, labels, reduction="none")


def _squared_hinge_of_tensors(
    scores: Float[Tensor, "b k"], labels: Int64[Tensor, " b"]
) -> Float[Tensor, " b"]:
    signs = torch.full_like(scores, -1.0)
    signs[torch.arange(len(labels), device=labels.device), labels] = 1
    return (1 - signs * scores).clamp(min=0).square().sum(1)


LOG_LOSS = Loss(log_loss, _log_loss_of_tensors)
SQUARED_HINGE = Loss(squared_hinge, _squared_hinge_of_tensors)
