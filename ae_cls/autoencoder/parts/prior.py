"""Codes drawn from a prior, from which images are made that no data set has."""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from ae_cls.draws import Draws


@final
@dataclass(frozen=True)
class DrawnCodes:
    """For `decode`.

    Attributes:
        codes: some of each part of the prior; those of one draw share their noise.
        shares: of the parts; they sum to 1.
        parts: what they are; empty where the prior is one cloud.
    """

    codes: Float[Tensor, "k b d"]
    shares: Float[Tensor, " k"]
    parts: Literal["", "class", "cluster"]


def normal_codes(draws: Draws, latent_dim: int) -> DrawnCodes:
    """Of the standard normal distribution."""
    return DrawnCodes(prior_noise(draws, latent_dim)[None], torch.ones(1), "")


def prior_noise(draws: Draws, latent_dim: int) -> Float[Tensor, "b d"]:
    """Standard normal numbers."""
    return draws.normal("prior", latent_dim)
