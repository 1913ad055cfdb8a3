"""A prior of several normal clouds, and how far a normal distribution is from it.

Jiang, Zheng, Tan, Tang & Zhou 2017, Variational deep embedding, IJCAI, arXiv 1611.05148.
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.autoencoder.parts.lloyd import lloyd
from ae_cls.autoencoder.parts.posterior import Posterior
from ae_cls.autoencoder.parts.prior import DrawnCodes, prior_noise
from ae_cls.draws import Draws
from ae_cls.processes.batch import batch_rows, batch_sum

_DECAY = 0.95  # share of a cloud that stays when it moves to a batch's codes, as a codebook's does
_LEAST_SHARE = 1e-3  # of what each would have if all were equal: a cloud that is lost can come back
_LEAST_VARIANCE = 1e-4


@final
class Mixture(nn.Module):
    """Clouds with a share, and in each number a mean and a variance; at first all are N(0, 1).

    They follow the codes as an online expectation-maximisation (Cappe & Moulines 2009, On-line
    expectation-maximization algorithm for latent data models, JRSS B 71): the step of each batch is
    the best one for the same bound that the encoder's gradient minimises. Gradient descent of a few
    hundred steps would leave them where they began: Adam moves a number by at most its rate.
    """

    shares: Float[Tensor, " k"]
    means: Float[Tensor, "k d"]
    variances: Float[Tensor, "k d"]
    started: Float[Tensor, ""]

    def __init__(self, clouds: int, width: int) -> None:
        super().__init__()
        self.register_buffer("shares", torch.full((clouds,), 1 / clouds))
        self.register_buffer("means", torch.zeros(clouds, width))
        self.register_buffer("variances", torch.ones(clouds, width))
        self.register_buffer("started", torch.zeros(()))

    def log_weights(self, posterior: Posterior) -> Float[Tensor, "b k"]:
        """Logarithm of share x exp(-KL(posterior || cloud)): the softmax is the assignment.

        That is the distribution of the cloud given the image which makes the bound highest, among
        those that are independent of the code given the image.
        """
        # Differences of products: half precision would leave few of their digits.
        with torch.autocast(posterior.mean.device.type, enabled=False):
            mean, precision = posterior.mean, 1 / self.variances
            squares = posterior.log_variance.exp() + mean.square()
            distances = (
                squares @ precision.T
                - 2 * mean @ (self.means * precision).T
                + (self.means.square() * precision + self.variances.log()).sum(1)
            )
            spread = (posterior.log_variance + 1).sum(1, keepdim=True)
        return self.shares.log() - (distances - spread) / 2

    def drawn_codes(self, draws: Draws) -> DrawnCodes:
        """Some of each cloud."""
        noise = prior_noise(draws, self.means.shape[1]).to(self.means)
        codes = self.means[:, None] + self.variances.sqrt()[:, None] * noise
        return DrawnCodes(codes, self.shares, "cluster")

    @torch.no_grad()
    def start(self, posterior: Posterior, draw: torch.Generator) -> None:
        """The clouds become the clusters that k-means finds in the whole batch.

        Where codes are too few, the other clouds stay as they are, with the least share.
        """
        codes = batch_rows(posterior.mean).cpu()
        centres = lloyd(codes, min(len(self.shares), len(codes)), draw).to(self.means)
        nearest = torch.cdist(posterior.mean, centres).argmin(1)
        members = nn.functional.one_hot(nearest, len(self.shares)).to(centres)
        spread = (posterior.mean - centres[nearest]).square() + posterior.log_variance.exp()
        sizes, within = batch_sum(members.sum(0)), batch_sum(spread.sum(0))
        self.shares.copy_(_shares(sizes / len(codes)))
        self.means[: len(centres)] = centres
        self.variances[: len(centres)] = (within / len(codes)).clamp_min(_LEAST_VARIANCE)
        self.started.fill_(1)

    @torch.no_grad()
    def follow(self, posterior: Posterior) -> None:
        """Move each cloud towards the codes that are assigned to it."""
        assigned, mean = self.log_weights(posterior).softmax(1), posterior.mean
        with torch.autocast(mean.device.type, enabled=False):
            first = assigned.T @ mean
            second = assigned.T @ (mean.square() + posterior.log_variance.exp())
        sums = batch_sum(torch.cat([assigned.sum(0)[:, None], first, second], dim=1))
        new = (1 - _DECAY) * sums / sums[:, 0].sum()
        old, squares = _DECAY * self.shares[:, None], self.variances + self.means.square()
        width = self.means.shape[1]
        shares = (old + new[:, :1]).clamp_min(1e-12)
        means = (old * self.means + new[:, 1 : width + 1]) / shares
        variances = (old * squares + new[:, width + 1 :]) / shares - means.square()
        self.means.copy_(means)
        self.variances.copy_(variances.clamp_min(_LEAST_VARIANCE))
        self.shares.copy_(_shares(shares[:, 0]))


def _shares(sizes: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    sizes = sizes.clamp_min(_LEAST_SHARE / len(sizes))
    return sizes / sizes.sum()
