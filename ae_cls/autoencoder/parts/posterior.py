"""A code that is a distribution: independent normal numbers.

Kingma & Welling 2014, Auto-encoding variational Bayes, arXiv 1312.6114.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from ae_cls.draws import Draws


@final
@dataclass(frozen=True)
class Posterior:
    """The distribution of the code of each image, in float32.

    Attributes:
        mean: what `encode` gives.
        log_variance: natural logarithm of the variance.
    """

    mean: Float[Tensor, "b d"]
    log_variance: Float[Tensor, "b d"]

    def sample(self, draws: Draws) -> Float[Tensor, "b d"]:
        """One code of each image, through which the gradient reaches mean and variance."""
        noise = draws.normal("vae", self.mean.shape[1]).to(self.mean)
        return self.mean + (self.log_variance / 2).exp() * noise

    def divergence(self) -> Float[Tensor, "b d"]:
        """KL(N(mean, variance) || N(0, 1)) of each number in nats."""
        variance_less_1 = torch.expm1(self.log_variance)
        return 0.5 * (self.mean.square() + variance_less_1 - self.log_variance)
