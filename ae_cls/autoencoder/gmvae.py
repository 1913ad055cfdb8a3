"""The variational autoencoder whose prior is a mixture: it finds clusters.

Jiang, Zheng, Tan, Tang & Zhou 2017, Variational deep embedding: an unsupervised and generative
approach to clustering, IJCAI, arXiv 1611.05148.
"""

from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.parts.dense import pixel_count
from ae_cls.autoencoder.parts.losses import mean_squared_error, weighted_mean_squared_error
from ae_cls.autoencoder.parts.mixture import Mixture
from ae_cls.autoencoder.parts.posterior import Posterior
from ae_cls.autoencoder.parts.prior import DrawnCodes, normal_codes
from ae_cls.autoencoder.parts.variational import (
    Variational,
    VariationalConfig,
    negative_log_likelihood,
)
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws, generator
from ae_cls.processes.batch import batch_mean
from ae_cls.train.loss import Loss

_ACTIVE = 0.01  # variance over the images from which on a number of the code says something of them


@final
class GmVaeConfig(VariationalConfig):
    """A convolutional VAE whose codes come from one of several normal clouds each."""

    has_clusters: ClassVar[bool] = True
    name: Literal["gmvae"]
    clusters: int = Field(
        ge=1, le=1 << 12, description="clouds of the prior, which begin at the end of the warm-up"
    )

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return GmVae(image_shape, self)


@final
class GmVae(Variational):
    """Its prior is one standard normal cloud until the warm-up ends, and then several.

    The loss is minus the article's bound, with the best assignment of an image to clouds instead of
    that of one sampled code: -log sum of share x exp(-KL(posterior || cloud)), which has no noise
    (Hershey & Olsen 2007, Approximating the Kullback Leibler divergence between Gaussian mixture
    models, ICASSP, equation 20, for one component on the left). It is at least KL(posterior ||
    mixture). Pixels are weighed as those of `vae`, which this is with one cloud.

    The clouds begin late, as in the article: once codes can be decoded, k-means finds clusters in
    them. Clouds that begin with the network are free to collapse into a few before its codes say
    anything.
    """

    def __init__(self, image_shape: ImageShape, config: GmVaeConfig) -> None:
        super().__init__(image_shape, config)
        self.config = config
        self.mixture = Mixture(config.clusters, config.latent_dim)

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        posterior = self.posterior(seen.images)
        if self.training and progress >= self.config.warm_up and not self.mixture.started:
            self.mixture.start(posterior, generator(draws.seed, "gmvae"))
        output = self.decode(posterior.sample(draws))
        error = weighted_mean_squared_error(output, images, seen.weight)
        nll = negative_log_likelihood(error, pixel_count(self.image_shape))
        kl = self.divergence(posterior).mean()
        terms = {
            "mse": mean_squared_error(output, images).detach(),
            "nll": nll.detach(),
            "kl": kl.detach(),
            **self._uses(posterior),
        }
        if self.training and self.mixture.started:
            self.mixture.follow(posterior)
        return Loss(nll + self.config.beta_at(progress) * kl, terms)

    def divergence(self, posterior: Posterior) -> Float[Tensor, " b"]:
        return -self.mixture.log_weights(posterior).logsumexp(1)

    def drawn_codes(self, draws: Draws) -> DrawnCodes:
        if not self.mixture.started:
            return normal_codes(draws, self.config.latent_dim)
        return self.mixture.drawn_codes(draws)

    def assignments(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return self.mixture.log_weights(self.posterior(images)).softmax(1)

    @torch.no_grad()
    def _uses(self, posterior: Posterior) -> dict[str, Float[Tensor, ""]]:
        """How many numbers of the code differ between images, and how many clouds are in use."""
        mean = batch_mean(posterior.mean.mean(0))
        variances = batch_mean((posterior.mean - mean).square().mean(0))
        shares = batch_mean(self.mixture.log_weights(posterior).softmax(1).mean(0))
        return {
            "active_units": (variances > _ACTIVE).to(mean).sum(),
            # exp of the entropy: from 1 to all
            "clusters_used": torch.special.entr(shares).sum().exp(),
        }
