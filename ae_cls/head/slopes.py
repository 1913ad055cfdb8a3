"""A summed loss and its slopes, and how a device finds them from a table that it holds whole."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from ae_cls.head.class_weight import Weights
from ae_cls.head.fitted import Features, Labels
from ae_cls.head.linear_loss import Loss
from ae_cls.head.standardise import Standardiser, as_tensor

_MOST = 0.5  # of a device's free memory that a table may take; the encoder's is in use already


@final
@dataclass(frozen=True)
class Slopes:
    """A summed loss and its slopes along a weight and a bias."""

    loss: float
    weight: Float32[np.ndarray, "k d"]
    bias: Float64[np.ndarray, " k"]

    def __add__(self, other: "Slopes") -> "Slopes":
        return Slopes(self.loss + other.loss, self.weight + other.weight, self.bias + other.bias)


@final
@dataclass(frozen=True)
class DeviceTable:
    """Standardised features, class indices and the weight of each row, in a device's memory."""

    features: Float32[Tensor, "n d"]
    labels: Int64[Tensor, " n"]
    weights: Float32[Tensor, " n"]
    loss: Loss

    @classmethod
    def of(
        cls,
        features: Features,
        standardiser: Standardiser,
        labels: Labels,
        class_weights: Weights | None,
        loss: Loss,
        device: torch.device,
    ) -> "DeviceTable":
        """A copy of the table; a row counts as much as its class weighs."""
        of_rows = np.ones(len(labels)) if class_weights is None else class_weights[labels]
        # The device's own memory on a CPU would be the caller's.
        table = as_tensor(features).to(device, copy=True)
        table -= as_tensor(standardiser.mean).to(device)
        table /= as_tensor(standardiser.scale).to(device)
        weights = torch.from_numpy(of_rows.astype(np.float32)).to(device)
        return cls(table, torch.from_numpy(labels).to(device), weights, loss)

    def mean_slopes(
        self, weight: Float32[np.ndarray, "k d"], bias: Float32[np.ndarray, " k"]
    ) -> Slopes:
        """Mean loss over the rows, and its slopes."""
        device, count = self.features.device, len(self.labels)
        along = [torch.from_numpy(one).to(device).requires_grad_() for one in (weight, bias)]
        scores = self.features @ along[0].T + along[1]
        losses = self.loss.of_tensors(scores, self.labels) * self.weights
        mean = losses.sum(dtype=torch.float64) / count
        slopes = torch.autograd.grad(mean, along)
        of_weight, of_bias = (slope.cpu().numpy() for slope in slopes)
        return Slopes(mean.item(), of_weight, of_bias.astype(np.float64))


def has_room(device: torch.device, size: int) -> bool:
    """Whether a table of so many bytes may be held there; else it stays where it is."""
    return size <= _MOST * torch.cuda.mem_get_info(device)[0]
