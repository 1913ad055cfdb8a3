"""The variational autoencoder, with beta, warm-up and free bits.

Kingma & Welling 2014, Auto-encoding variational Bayes, arXiv 1312.6114. Higgins et al. 2017,
beta-VAE: learning basic visual concepts with a constrained variational framework, ICLR.
"""

from typing import Literal, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.parts.dense import pixel_count
from ae_cls.autoencoder.parts.losses import mean_squared_error, weighted_mean_squared_error
from ae_cls.autoencoder.parts.posterior import Posterior
from ae_cls.autoencoder.parts.principal import bent, silence
from ae_cls.autoencoder.parts.prior import DrawnCodes, normal_codes
from ae_cls.autoencoder.parts.probabilistic import ProbabilisticPath
from ae_cls.autoencoder.parts.variational import (
    LOG_VARIANCE_RANGE,
    Variational,
    VariationalConfig,
    negative_log_likelihood,
)
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows
from ae_cls.draws import Draws
from ae_cls.processes.batch import batch_mean
from ae_cls.train.loss import Loss


@final
class VaeConfig(VariationalConfig):
    """A convolutional VAE: negative log-likelihood of the pixels, plus beta times the KL."""

    name: Literal["vae"]
    free_bits: float = Field(
        ge=0, description="nats of KL in each dimension that are free (arXiv 1606.04934)"
    )

    # Models that were saved before there was such a path have none.
    principal_path: bool = Field(
        default=False,
        description="whether code and rebuilt images begin as those of probabilistic principal "
        "components (of each cell of the code), to which the network learns what to add",
    )

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Vae(image_shape, self)


@final
class Vae(Variational):
    """Its prior is the standard normal distribution."""

    def __init__(self, image_shape: ImageShape, config: VaeConfig) -> None:
        super().__init__(image_shape, config)
        self.config = config
        self.path = None
        if config.principal_path:
            self.path = ProbabilisticPath(config.path_of(self.trunk, image_shape))

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        mean = super().encode(images)
        return mean if self.path is None else self.path.posterior(images).mean + mean

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        images = super().decode(latents)
        return images if self.path is None else bent(self.path.decode(latents) + images)

    def posterior(self, images: Float[Tensor, "b c h w"]) -> Posterior:
        own = super().posterior(images)
        if self.path is None:
            return own
        begun = self.path.posterior(images)
        log_variance = (begun.log_variance + own.log_variance).clamp(*LOG_VARIANCE_RANGE)
        return Posterior(begun.mean + own.mean, log_variance)

    def drawn_codes(self, draws: Draws) -> DrawnCodes:
        return normal_codes(draws, self.config.latent_dim)

    def fit_closed_form(self, images: ImageRows, seed: int) -> None:
        if self.path is not None:
            self.path.fit(images, seed)
            silence(self.to_mean, self.to_log_variance, self.decoder.last)

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        posterior = self.posterior(seen.images)
        output = self.decode(posterior.sample(draws))
        error = weighted_mean_squared_error(output, images, seen.weight)
        nll = negative_log_likelihood(error, pixel_count(self.image_shape))
        kl = batch_mean(posterior.divergence().mean(0))
        penalty = kl.clamp_min(self.config.free_bits).sum()
        total = nll + self.config.beta_at(progress) * penalty
        mse = mean_squared_error(output, images)
        return Loss(total, {"mse": mse.detach(), "nll": nll.detach(), "kl": kl.sum().detach()})
