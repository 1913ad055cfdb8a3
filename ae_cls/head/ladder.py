"""A classifier that also removes noise from its own answers, and from all that leads to them.

Rasmus, Valpola, Honkala, Berglund & Raiko 2015, Semi-supervised learning with ladder networks,
NIPS, arXiv 1507.02672: algorithm 1, and the Gamma model of section 3.4.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Literal, final

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor, nn

from ae_cls.draws import Draws, derive_seed
from ae_cls.encode.encoder import Encoder
from ae_cls.errors import UsageError
from ae_cls.head.laterals import Combinator, Laterals
from ae_cls.head.network import Network, layer_groups, learned, network_of
from ae_cls.head.rungs import (
    Change,
    Values,
    normal,
    noted,
    rungs_of,
    standardised,
    with_noise,
)
from ae_cls.head.semi_supervised import SemiSupervisedConfig, Shown, statistics_kept
from ae_cls.head.task import Learned, Task
from ae_cls.settings import OneOrMore
from ae_cls.train.loss import Loss
from ae_cls.train.step import Group

_PIXELS = 0  # number of the lowest rung; the encoder's layers follow


@final
class LadderConfig(SemiSupervisedConfig):
    """Cross-entropy of noisy answers, plus the error of guessing clean answers from noisy ones.

    Noise is added to pixels, features and answers. With `lateral` it is added to the layers of the
    encoder as well, and a decoder guesses these and the pixels, too. Without any guess
    (denoising=0, lateral=0) and noise, the loss is that of fine-tuning.
    """

    name: Literal["ladder"]
    denoising: float = Field(
        ge=0, description="weight of the mean squared error of answers of variance 1"
    )
    noise: float = Field(
        ge=0,
        description="standard deviation, where the full pixel range is 1, and layers, features and "
        "answers have variance 1",
    )
    # Models that were saved before there was a choice are Gamma models.
    lateral: OneOrMore[Annotated[float, Field(ge=0)]] = Field(
        default=(0.0,),
        description="weights of the same error of the pixels, then of each layer of the encoder "
        "from the first on, the last weight for all that follow; 0: no guess, and no more noise "
        "than without it. All 0 is the Gamma model; [100,10,0.1] is about the "
        "article's ladder, whose pixels are not of variance 1",
    )

    def classify(self, task: Task) -> Learned:
        network = network_of(task)
        ladder = self.ladder(network, task)
        # Parts of it, so that a training which is continued finds them as they were.
        network.add_module("combinator", ladder.combinator)
        network.add_module("laterals", ladder.laterals)
        undecayed = [ladder.combinator, ladder.laterals.combinators]
        return learned(
            network,
            [
                *layer_groups(network, self.layer_decay),
                Group([ladder.combinator, ladder.laterals], rate=1.0, undecayed=undecayed),
            ],
            ladder.loss,
            stage=self.name, task=task, training=self.on_all_images(task), schedule=self,
            facts=self.facts_of(task),
        )  # fmt: skip

    def ladder(self, network: Network, task: Task) -> "_Ladder":
        """On this network; the weights of the way down follow from the seed."""
        layers = rungs_of(replace(task.encoder, model=network.encoder))
        shapes = [network.encoder.image_shape, *(rung.shape for rung in layers)]
        weights = self._weights_of(len(shapes))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(task.seed, "ladder"))
            laterals = Laterals([shapes[number] for number in weights], network.class_count)
        device = task.encoder.compute.device
        return _Ladder(
            self,
            network,
            Combinator(network.class_count).to(device),
            laterals.to(device),
            weights,
            {number: layers[number - 1].module for number in weights if number != _PIXELS},
            self.shown(task),
        )

    def _weights_of(self, count: int) -> dict[int, float]:
        """Of so many rungs below the answers, by number from the pixels up, if they have one."""
        given = [*self.lateral, *[self.lateral[-1]] * count][:count]
        return {number: weight for number, weight in enumerate(given) if weight}

    def refuse_layers(self, encoder: Encoder) -> None:
        layers, weights = len(rungs_of(encoder)), len(self.lateral)
        if weights > layers + 1:
            raise UsageError(
                f"head.lateral has {weights} weights, and below the answers there are "
                f"{layers + 1} rungs: the pixels, and the layers of the encoder that "
                f"encode={encoder.encode.name} reads ({layers})",
                where="head.lateral",
                fix=f"{layers + 1} weights or fewer; the last one counts for all that follow",
            )


@final
@dataclass(frozen=True)
class _Ladder:
    """The loss of a mixed batch.

    Attributes:
        config: noise, and how its parts are weighed.
        network: in training.
        combinator: what tells clean answers from noisy ones.
        laterals: the same for the rungs below the answers.
        weights: of these, by number.
        layers: of these, the layers of the encoder.
        shown: the labels of the first training images; the others have none.
    """

    config: LadderConfig
    network: Network
    combinator: Combinator
    laterals: Laterals
    weights: Mapping[int, float]
    layers: Mapping[int, nn.Module]
    shown: Shown

    def loss(
        self,
        images: Float[Tensor, "b c h w"],
        positions: Int64[Tensor, " b"],
        draws: Draws,
        progress: float,
    ) -> Loss:
        with self._noted({}, images) as clean_rungs:
            clean = self.network(images).float()
        # Batch norms are to remember images as they are classified later: without noise.
        with statistics_kept(self.network):
            noisy, noisy_rungs = self._noisy(images, draws)
        entropy, accuracy = self.shown.entropy_and_accuracy(noisy, positions)
        guessed = self.combinator(standardised(noisy), standardised(noisy.softmax(1)))
        error = (guessed - standardised(clean)).square().mean()
        terms = {"accuracy": accuracy, "cross_entropy": entropy, "denoising": error}
        total = entropy + self.config.denoising * error
        guesses = self.laterals(guessed, [noisy_rungs[number] for number in self.weights])
        for (number, weight), guess in zip(self.weights.items(), guesses, strict=True):
            error = (guess - standardised(clean_rungs[number])).square().mean()
            terms[f"denoising_{_name(number)}"] = error
            total = total + weight * error
        return Loss(total, {name: term.detach() for name, term in terms.items()})

    def _noisy(
        self, images: Float[Tensor, "b c h w"], draws: Draws
    ) -> tuple[Float[Tensor, "b k"], dict[int, Values]]:
        """The answers, and the rungs below them."""
        network, noise = self.network, self.config.noise
        seen = images + noise * normal("pixels", images, draws)
        noisier = {
            number: partial(with_noise, deviation=noise, name=_name(number), draws=draws)
            for number in self.layers
        }
        with self._noted(noisier, seen) as rungs:
            features = network.normalise(network.encode.features(network.encoder, seen))
        logits = network.to_logits(features + noise * normal("features", features, draws)).float()
        return with_noise(logits, noise, "answers", draws), rungs

    @contextmanager
    def _noted(
        self, changes: Mapping[int, Change], images: Float[Tensor, "b c h w"]
    ) -> Iterator[dict[int, Values]]:
        """Inside, what the rungs answer to these images is noted."""
        with noted(self.layers, changes, self.network.encoder.image_shape) as rungs:
            rungs[_PIXELS] = images
            yield rungs


def _name(number: int) -> str:
    return "pixels" if number == _PIXELS else f"layer_{number}"
