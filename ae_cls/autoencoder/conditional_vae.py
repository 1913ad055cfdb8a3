"""The variational autoencoder with the class as a part of its code (the model M2).

Kingma, Mohamed, Rezende & Welling 2014, Semi-supervised learning with deep generative models, NIPS,
arXiv 1406.5298.
"""

import math
from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Corrupting
from ae_cls.autoencoder.parts.blocks import Decoder
from ae_cls.autoencoder.parts.dense import pixel_count
from ae_cls.autoencoder.parts.losses import at_least_float32, mean_squared_error
from ae_cls.autoencoder.parts.posterior import Posterior
from ae_cls.autoencoder.parts.prior import DrawnCodes, prior_noise
from ae_cls.autoencoder.parts.variational import (
    LOG_VARIANCE_RANGE,
    VariationalConfig,
    negative_log_likelihood,
)
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws
from ae_cls.processes.batch import batch_mean, batch_sum
from ae_cls.train.loss import Loss


@final
class ConditionalVaeConfig(VariationalConfig):
    """A convolutional VAE that is told, or guesses, the class of what it encodes and decodes.

    A step of training decodes every image once with each class. Without labels its classes are
    clusters of its own; `head=m2` trains it on.
    """

    name: Literal["conditional_vae"]
    classes: int = Field(
        ge=1, le=1 << 10, description="in the code; for head=m2 as many as the data set has"
    )

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return ConditionalVae(image_shape, self)

    @property
    def classes_in_code(self) -> int:
        return self.classes

    def decoder(self, image_shape: ImageShape) -> Decoder:
        # A class reaches all cells at once, so whatever `code_cells` of the encoder, this is dense.
        return self.painter(image_shape, numbers=self.latent_dim + self.classes, most_cells=1)

    def small(self) -> AutoencoderConfig:
        return self.model_copy(update={"widths": (16, 32), "latent_dim": 16, "classes": 3})


@final
@dataclass(frozen=True)
class ClassCosts:
    """What images cost with each class, by one sampled code of each.

    Attributes:
        log_probabilities: log q(class | image); their exponentials sum to 1 in each row.
        errors: mean squared error per pixel of the image rebuilt with this class.
        divergences: of the code given image and class from its prior, in nats.
        mse: of the images that `decode` makes of the code; over batch and pixels, detached.
    """

    log_probabilities: Float[Tensor, "b k"]
    errors: Float[Tensor, "b k"]
    divergences: Float[Tensor, "b k"]
    mse: Float[Tensor, ""]


@final
class ConditionalVae(Corrupting):
    """Trunk - class and, given it, a normal distribution - sample and class - decoder.

    The code is the mean over the classes, as probable as they are, of the mean given the class, and
    then the logarithm of each probability. Pixels are weighed as those of `vae`, which this is with
    one class and without principal components.
    """

    def __init__(self, image_shape: ImageShape, config: ConditionalVaeConfig) -> None:
        super().__init__()
        self.image_shape, self.corruption, self.config = image_shape, config.corruption, config
        self.trunk = config.trunk(image_shape)
        self.to_mean = config.to_code(self.trunk, image_shape)
        self.to_log_variance = config.to_code(self.trunk, image_shape)
        self.decoder = config.decoder(image_shape)
        self.to_logits = nn.Linear(self.trunk.outputs * math.prod(self.trunk.sides), config.classes)
        # A class moves both, as an input of a linear layer beside the trunk's does.
        self.mean_of_class = nn.Linear(config.classes, config.latent_dim, bias=False)
        self.log_variance_of_class = nn.Linear(config.classes, config.latent_dim, bias=False)

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self._code(self._hidden(images))

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        numbers, log_probabilities = latents.tensor_split((self.config.latent_dim,), dim=1)
        return self.decoder(torch.cat([numbers, log_probabilities.softmax(1)], dim=1))

    def encoder_layers(self) -> list[nn.Module]:
        return [
            *self.trunk.stages,
            nn.ModuleList([self.to_mean, self.mean_of_class, self.to_logits]),
        ]

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return self.trunk(images)

    def drawn_codes(self, draws: Draws) -> DrawnCodes:
        count = self.config.classes
        noise = prior_noise(draws, self.config.latent_dim)
        certain = torch.eye(count, device=noise.device).log()  # 0 and minus infinity
        codes = torch.cat(
            [
                noise.expand(count, -1, -1),
                certain[:, None].expand(-1, len(noise), -1),
            ],
            dim=2,
        )
        return DrawnCodes(codes, torch.full((count,), 1 / count), "class")

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        """The article's U: minus its bound on the log-likelihood of images without a label."""
        costs = self.class_costs(images, draws)
        probabilities, entropy = with_entropy(costs.log_probabilities)
        return self.bound(costs, probabilities, entropy, torch.ones_like(entropy), progress)

    def class_costs(self, images: Float[Tensor, "b c h w"], draws: Draws) -> ClassCosts:
        """What these training images cost with each class."""
        seen = self.corruption.apply(images, draws)
        hidden = self._hidden(seen.images)
        codes, divergences = self._sampled(hidden, draws)
        with torch.no_grad():
            mse = mean_squared_error(self.decode(self._code(hidden)), images)
        return ClassCosts(
            self._log_probabilities(hidden),
            self._errors(codes, images, seen.weight.expand_as(images)),
            divergences,
            mse,
        )

    def bound(
        self,
        costs: ClassCosts,
        probabilities: Float[Tensor, "b k"],
        entropy: Float[Tensor, " b"],
        weights: Float[Tensor, " b"],
        progress: float,
    ) -> Loss:
        """Minus the bound on the log-likelihood in nats an image, a weighted mean over images.

        Args:
            costs: of these images.
            probabilities: of their classes; 1 and 0 where the label is known (the article's L).
            entropy: of these, in nats.
            weights: of the images.
            progress: share of the training steps already taken.
        """
        from_uniform = math.log(self.config.classes) - entropy
        parts = [(probabilities * part).sum(1) for part in (costs.errors, costs.divergences)]
        sums = torch.stack([(weights * part).sum() for part in (*parts, from_uniform)])
        error, kl, class_kl = batch_sum(sums) / batch_sum(weights.sum())
        nll = negative_log_likelihood(error, pixel_count(self.image_shape))
        terms = {"nll": nll, "kl": kl, "class_kl": class_kl}
        return Loss(
            nll + self.config.beta_at(progress) * (kl + class_kl),
            {"mse": costs.mse, **{name: term.detach() for name, term in terms.items()}},
        )

    def _hidden(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _"]:
        return self.trunk(images)[-1].flatten(1)

    def _log_probabilities(self, hidden: Float[Tensor, "b _"]) -> Float[Tensor, "b k"]:
        return at_least_float32(self.to_logits(hidden)).log_softmax(1)

    def _code(self, hidden: Float[Tensor, "b _"]) -> Float[Tensor, "b d"]:
        log_probabilities = self._log_probabilities(hidden)
        mean = self.to_mean(hidden) + self.mean_of_class(log_probabilities.exp())
        return torch.cat([at_least_float32(mean), log_probabilities], dim=1)

    def _sampled(
        self, hidden: Float[Tensor, "b _"], draws: Draws
    ) -> tuple[Float[Tensor, "b k d"], Float[Tensor, "b k"]]:
        """A code of each image given each class, and the divergence of what it is drawn from."""
        classes = torch.eye(self.config.classes).to(hidden)
        means, log_variances = (
            at_least_float32(of_image(hidden)[:, None] + of_class(classes))
            for of_image, of_class in (
                (self.to_mean, self.mean_of_class),
                (self.to_log_variance, self.log_variance_of_class),
            )
        )
        log_variances = log_variances.clamp(*LOG_VARIANCE_RANGE)
        # The same noise for all classes: what they differ by is then the class alone.
        noise = draws.normal("vae", means.shape[2]).to(means)[:, None]
        posterior = Posterior(means.flatten(0, 1), log_variances.flatten(0, 1))
        divergences = posterior.divergence().sum(1).unflatten(0, means.shape[:2])
        return means + (log_variances / 2).exp() * noise, divergences

    def _errors(
        self,
        codes: Float[Tensor, "b k d"],
        images: Float[Tensor, "b c h w"],
        weight: Float[Tensor, "b c h w"],
    ) -> Float[Tensor, "b k"]:
        count = self.config.classes
        classes = torch.eye(count).to(codes).expand(len(codes), count, count)
        outputs = self.decoder(torch.cat([codes, classes], dim=2).flatten(0, 1))
        squares = (at_least_float32(outputs).unflatten(0, (-1, count)) - images[:, None]).square()
        # In units of the whole batch's mean weight, as in `weighted_mean_squared_error`.
        mean_weight = batch_mean(weight.flatten(1).sum(1).mean()).clamp_min(1e-12)
        return (weight[:, None] * squares).flatten(2).sum(2) / mean_weight


def with_entropy(
    log_probabilities: Float[Tensor, "b k"],
) -> tuple[Float[Tensor, "b k"], Float[Tensor, " b"]]:
    """Probabilities, and the entropy of each row in nats."""
    probabilities = log_probabilities.exp()
    return probabilities, -(probabilities * log_probabilities).sum(1)
