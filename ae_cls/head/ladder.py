"""A classifier that also denoises its own answers: the ladder network with its top rung alone.

Rasmus, Valpola, Honkala, Berglund & Raiko 2015, Semi-supervised learning with ladder networks,
NIPS, arXiv 1507.02672, the Gamma model of section 3.4.
"""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor, nn

from ae_cls.draws import Draws
from ae_cls.head.network import Network, layer_groups, learned, network_of
from ae_cls.head.semi_supervised import SemiSupervisedConfig, Shown, statistics_kept
from ae_cls.head.task import Learned, Task
from ae_cls.processes.batch import batch_mean
from ae_cls.train.loss import Loss
from ae_cls.train.step import Group

_LEAST_VARIANCE = 1e-5  # as of a batch norm


@final
class LadderConfig(SemiSupervisedConfig):
    """Cross-entropy of noisy answers, plus the error of guessing clean answers from noisy ones.

    Noise is added to pixels, features and answers; the article adds it to every layer. Nothing is
    decoded. Without its part (denoising=0) and noise, the loss is that of fine-tuning.
    """

    name: Literal["ladder"]
    denoising: float = Field(
        ge=0, description="weight of the mean squared error of answers of variance 1"
    )
    noise: float = Field(
        ge=0,
        description="standard deviation, where the full pixel range is 1, and features and answers "
        "have variance 1",
    )

    def classify(self, task: Task) -> Learned:
        network = network_of(task)
        combinator = Combinator(network.class_count).to(task.encoder.compute.device)
        # A part of it, so that a training which is continued finds it as it was.
        network.add_module("combinator", combinator)
        ladder = _Ladder(self, network, combinator, self.shown(task))
        return learned(
            network,
            [
                *layer_groups(network, self.layer_decay),
                Group([combinator], rate=1.0, undecayed=[combinator]),
            ],
            ladder.loss,
            stage=self.name, task=task, training=self.on_all_images(task), schedule=self,
            facts=self.facts_of(task),
        )  # fmt: skip


@final
class Combinator(nn.Module):
    """The best guess of a number from what noise made of it, if it was drawn from a normal cloud.

    Mean and weight of the cloud follow from the layer above (equation 2 of the article). At first
    the guess is 0, the mean of all answers, as in the authors' code (CuriousAI/ladder).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        one, none = torch.ones(width), torch.zeros(width)
        self.of_mean, self.of_weight = (
            nn.Parameter(torch.stack([none, one, none, none, none])) for _ in range(2)
        )

    def forward(
        self, noisy: Float[Tensor, "b k"], above: Float[Tensor, "b k"]
    ) -> Float[Tensor, "b k"]:
        mean, weight = _curve(self.of_mean, above), _curve(self.of_weight, above)
        return (noisy - mean) * weight + mean


def _curve(numbers: Float[Tensor, "5 k"], above: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
    height, slope, place, line, level = numbers
    return height * (slope * above + place).sigmoid() + line * above + level


@final
@dataclass(frozen=True)
class _Ladder:
    """The loss of a mixed batch.

    Attributes:
        config: noise, and how its parts are weighed.
        network: in training.
        combinator: what tells clean answers from noisy ones.
        shown: the labels of the first training images; the others have none.
    """

    config: LadderConfig
    network: Network
    combinator: Combinator
    shown: Shown

    def loss(
        self,
        images: Float[Tensor, "b c h w"],
        positions: Int64[Tensor, " b"],
        draws: Draws,
        progress: float,
    ) -> Loss:
        clean = self.network(images).float()
        # Batch norms are to remember images as they are classified later: without noise.
        with statistics_kept(self.network):
            noisy = self._noisy(images, draws)
        entropy, accuracy = self.shown.entropy_and_accuracy(noisy, positions)
        guessed = self.combinator(standardised(noisy), standardised(noisy.softmax(1)))
        error = (guessed - standardised(clean)).square().mean()
        terms = {"accuracy": accuracy, "cross_entropy": entropy, "denoising": error}
        total = entropy + self.config.denoising * error
        return Loss(total, {name: term.detach() for name, term in terms.items()})

    def _noisy(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Float[Tensor, "b k"]:
        network, noise = self.network, self.config.noise
        seen = images + noise * _normal("pixels", images, draws)
        features = network.normalise(network.encode.features(network.encoder, seen))
        logits = network.to_logits(features + noise * _normal("features", features, draws)).float()
        # In units of their spread, which a batch norm of answers would make 1.
        _, spread = _centred_and_spread(logits)
        return logits + noise * spread * _normal("answers", logits, draws)


def standardised(values: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
    """With mean 0 and variance 1 over the whole batch."""
    centred, spread = _centred_and_spread(values)
    return centred / spread


def _centred_and_spread(
    values: Float[Tensor, "b k"],
) -> tuple[Float[Tensor, "b k"], Float[Tensor, " k"]]:
    centred = values - batch_mean(values.mean(0))
    return centred, (batch_mean(centred.square().mean(0)) + _LEAST_VARIANCE).sqrt()


def _normal(purpose: str, like: Float[Tensor, "b ..."], draws: Draws) -> Float[Tensor, "b ..."]:
    return draws.normal(f"ladder/{purpose}", like[0].numel()).view(like.shape).to(like)
