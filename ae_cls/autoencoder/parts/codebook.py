"""A codebook that follows the vectors it stands for, without gradients.

Van den Oord, Vinyals & Kavukcuoglu 2017, Neural discrete representation learning, arXiv 1711.00937,
appendix A.1: a code is the mean of the vectors that chose it, over the last batches. One that is
hardly ever chosen becomes a vector of the batch (Dhariwal et al. 2020, Jukebox, arXiv 2005.00341).
"""

from typing import final

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from ae_cls.processes.batch import batch_sum

_DEAD, _BORN = 0.02, 0.1
"""Of the mean use: a code that is chosen less often is dead, and what a new one begins with. It is
little, so that a code that nobody chooses is found out soon: after 32 batches with a decay of 0.95,
after 77 if it began with the mean."""


@final
class Codebook(nn.Module):
    """Codes, and how many vectors of a batch choose each.

    Attributes:
        codes: random until the first training batch, of whose vectors they then become some.
        uses: vectors of a batch that choose each code, on average over the last batches.
    """

    codes: Float[Tensor, "k d"]
    uses: Float[Tensor, " k"]

    def __init__(self, count: int, width: int, *, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("codes", torch.randn(count, width))
        self.register_buffer("uses", torch.zeros(count))

    def nearest(self, vectors: Float[Tensor, "n d"]) -> Int64[Tensor, " n"]:
        """The code at the smallest distance from each vector; the first of equal ones."""
        # In bf16 a distance has three digits: too few to tell codes apart.
        with torch.autocast(vectors.device.type, enabled=False):
            products = vectors.to(self.codes.dtype) @ self.codes.T
        return (self.codes.square().sum(1) - 2 * products).argmin(1)

    def __getitem__(self, chosen: Int64[Tensor, " n"]) -> Float[Tensor, "n d"]:
        return self.codes[chosen]

    @torch.no_grad()
    def follow(self, vectors: Float[Tensor, "n d"], chosen: Int64[Tensor, " n"]) -> None:
        """Move each code towards the mean of the vectors that chose it."""
        members = nn.functional.one_hot(chosen, len(self.codes)).to(self.codes.dtype)
        with torch.autocast(vectors.device.type, enabled=False):
            sums = members.T @ vectors.to(self.codes.dtype)
        batch = batch_sum(torch.cat([members.sum(0)[:, None], sums], dim=1))
        before = self.decay * self.uses
        uses = before + (1 - self.decay) * batch[:, 0]
        moved = before[:, None] * self.codes + (1 - self.decay) * batch[:, 1:]
        self.codes.copy_(torch.where(uses[:, None] > 0, moved / uses[:, None], self.codes))
        self.uses.copy_(uses)

    @torch.no_grad()
    def revive(self, vectors: Float[Tensor, "n d"], scores: Float[Tensor, " n"]) -> None:
        """Dead codes become the vectors with the lowest scores, of the whole batch.

        Where vectors are too few, they serve over again.
        """
        dead, wanted = self.dead(), len(self.codes)
        lowest = scores.argsort()[:wanted]
        places = torch.arange(wanted, device=lowest.device) % len(lowest)
        drawn = vectors[lowest[places]].to(self.codes.dtype)
        self.codes.copy_(torch.where(dead[:, None], drawn, self.codes))
        self.uses.copy_(torch.where(dead, _BORN * len(vectors) / wanted, self.uses))

    def dead(self) -> Bool[Tensor, " k"]:
        """Which codes are hardly ever chosen; all, before the first batch."""
        return self.uses <= _DEAD * self.uses.mean()

    def perplexity(self) -> Float[Tensor, ""]:
        """How many codes are in use: exp of the entropy of choosing, from 1 to all."""
        shares = self.uses / self.uses.sum().clamp_min(1e-12)
        return torch.special.entr(shares).sum().exp()
