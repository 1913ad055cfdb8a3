"""A network that tells codes from draws of a distribution, and what codes pay for being told.

Goodfellow et al. 2014, Generative adversarial networks, NeurIPS, arXiv 1406.2661.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from ae_cls.autoencoder.parts.dense import activation_module, dense
from ae_cls.autoencoder.parts.losses import at_least_float32

_STEEPNESS = 10.0
"""Weight of half the squared slope of the odds: what Mescheder, Geiger & Nowozin 2018, arXiv
1801.04406, take. Without it, steps that both players take at once go round in circles, or codes
flee along the slopes of a discriminator that is sure, and the decoder learns nothing."""


@final
@dataclass(frozen=True)
class Game:
    """What one batch costs the two players, in nats an image.

    Attributes:
        encoder: minus the logarithm of the probability that a code is taken for a draw, which has
            a slope where the discriminator is sure, too; it moves the codes alone.
        discriminator: the cross-entropy of its answers, and how steep it is where it is asked; it
            moves the discriminator alone.
    """

    encoder: Float[Tensor, ""]
    discriminator: Float[Tensor, ""]


@final
class Discriminator(nn.Module):
    """Two hidden layers of relu (Makhzani et al. 2015, arXiv 1511.05644, appendix A)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            dense(inputs, width, "relu"), activation_module("relu"),
            dense(width, width, "relu"), activation_module("relu"),
            dense(width, 1, None),
        )  # fmt: skip

    def forward(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        """Logarithm of the odds that each is a draw, not a code."""
        # Half precision would round away the small slopes of answers that are nearly sure.
        with torch.autocast(latents.device.type, enabled=False):
            return self.layers(at_least_float32(latents))[:, 0]

    def game(self, latents: Float[Tensor, "b d"], draws: Float[Tensor, "b d"]) -> Game:
        """Its answers to codes and to as many draws, and their costs."""
        fixed = {name: weight.detach() for name, weight in self.named_parameters()}
        answers = functional_call(self, fixed, (latents,))
        asked = torch.cat([latents.detach(), draws]).requires_grad_()
        of_codes, of_draws = (odds := self(asked)).chunk(2)
        (slopes,) = torch.autograd.grad(odds.sum(), asked, create_graph=True)
        wrong = (softplus(of_codes).mean() + softplus(-of_draws).mean()) / 2
        steepness = slopes.square().sum(1).mean()
        return Game(softplus(-answers).mean(), wrong + _STEEPNESS / 2 * steepness)

    @torch.no_grad()
    def accuracy(
        self, latents: Float[Tensor, "b d"], draws: Float[Tensor, "b d"]
    ) -> Float[Tensor, ""]:
        """Share of codes and draws that it tells; a half where codes look like draws."""
        return torch.cat([self(latents) < 0, self(draws) > 0]).to(draws).mean()
