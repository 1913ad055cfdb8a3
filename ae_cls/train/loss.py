"""What one batch costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor


@final
@dataclass(frozen=True)
class Loss:
    """What one batch costs.

    Attributes:
        total: the number to go down, with its graph.
        terms: its parts by name, detached; an autoencoder always gives `mse`, the mean squared
            error per pixel against the clean image, so that all variants share one column.
    """

    total: Float[Tensor, ""]
    terms: Mapping[str, Float[Tensor, ""]]
