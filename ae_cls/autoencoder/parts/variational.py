"""A convolutional encoder of a distribution and its mirror, which several variants share.

Kingma & Welling 2014, Auto-encoding variational Bayes, arXiv 1312.6114.
"""

import math
from abc import ABC

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.parts.bases import Corrupting
from ae_cls.autoencoder.parts.convolutional import ConvolutionalConfig
from ae_cls.autoencoder.parts.losses import PIXEL_ROUNDING, at_least_float32
from ae_cls.autoencoder.parts.posterior import Posterior
from ae_cls.dataset.contract import ImageShape

LOG_VARIANCE_RANGE = (-30.0, 20.0)
"""Within it the exponential stays finite in float32."""


class VariationalConfig(ConvolutionalConfig, ABC):
    """The sizes of the network, and the weight of the KL divergence."""

    beta: float = Field(
        ge=0, description="weight of the KL divergence (Higgins 2017); 1 is the VAE"
    )
    warm_up: float = Field(
        ge=0, le=1, description="share of the steps over which beta grows from 0 (arXiv 1511.06349)"
    )

    def beta_at(self, progress: float) -> float:
        """The weight after this share of the steps."""
        return self.beta * (min(1.0, progress / self.warm_up) if self.warm_up else 1.0)


class Variational(Corrupting, ABC):
    """Trunk - mean and log-variance - sample in training, mean otherwise - decoder."""

    def __init__(self, image_shape: ImageShape, config: ConvolutionalConfig) -> None:
        super().__init__()
        self.image_shape, self.corruption = image_shape, config.corruption
        self.trunk = config.trunk(image_shape)
        self.to_mean = config.to_code(self.trunk, image_shape)
        self.to_log_variance = config.to_code(self.trunk, image_shape)
        self.decoder = config.decoder(image_shape)

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        # The mean, not a sample: codes must not change between two calls.
        return self.to_mean(self.trunk(images)[-1].flatten(1))

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        return self.decoder(latents)

    def encoder_layers(self) -> list[nn.Module]:
        return [*self.trunk.stages, self.to_mean]

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return self.trunk(images)

    def posterior(self, images: Float[Tensor, "b c h w"]) -> Posterior:
        hidden = self.trunk(images)[-1].flatten(1)
        log_variance = at_least_float32(self.to_log_variance(hidden)).clamp(*LOG_VARIANCE_RANGE)
        return Posterior(at_least_float32(self.to_mean(hidden)), log_variance)


def negative_log_likelihood(mse: Float[Tensor, ""], pixels: int) -> Float[Tensor, ""]:
    """In nats an image, of normal pixels with the variance that suits this error best.

    That variance is the error itself, so the weight of the KL divergence follows the data: neither
    many pixels nor dark images nor a small spread drown the one in the other (Rybkin, Daniilidis &
    Levine 2021, arXiv 2006.13202).
    """
    return pixels / 2 * ((2 * math.pi * (mse + PIXEL_ROUNDING)).log() + 1)
