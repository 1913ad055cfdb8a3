"""The way down a ladder: at each rung, what it would be without noise is guessed.

Rasmus, Valpola, Honkala, Berglund & Raiko 2015, Semi-supervised learning with ladder networks,
NIPS, arXiv 1507.02672, section 3.3.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.autoencoder.parts.blocks import enlarging
from ae_cls.autoencoder.parts.losses import at_least_float32
from ae_cls.head.rungs import Values, standardised


@final
class Combinator(nn.Module):
    """The best guess of a number from what noise made of it, if it was drawn from a normal cloud.

    Mean and weight of the cloud follow from the layer above (equation 2 of the article). At first
    the guess is 0, the mean of all answers, as in the authors' code (CuriousAI/ladder). The cells
    of a channel share their weights.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        one, none = torch.ones(width), torch.zeros(width)
        self.of_mean, self.of_weight = (
            nn.Parameter(torch.stack([none, one, none, none, none])) for _ in range(2)
        )

    def forward(self, noisy: Values, above: Values) -> Values:
        mean, weight = _curve(self.of_mean, above), _curve(self.of_weight, above)
        return (noisy - mean) * weight + mean


def _curve(numbers: Float[Tensor, "5 k"], above: Values) -> Values:
    height, slope, place, line, level = numbers.view(5, -1, *(1 for _ in above.shape[2:]))
    return height * (slope * above + place).sigmoid() + line * above + level


@final
class Laterals(nn.Module):
    """From the guessed answers down to the lowest rung; each guess is seen by the next one alone.

    Args:
        shapes: of the rungs, from the lowest one up.
        classes: numbers of an answer, the top rung.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], classes: int) -> None:
        super().__init__()
        pairs = list(pairwise([*shapes, (classes,)]))
        self.down = nn.ModuleList(_Down(above, below) for below, above in pairs)
        self.combinators = nn.ModuleList(Combinator(shape[0]) for shape in shapes)

    def forward(self, guess: Float[Tensor, "b k"], noisy: Sequence[Values]) -> list[Values]:
        """Of each rung, standardised; from the lowest one up, as they are given."""
        guesses: list[Values] = [guess]
        rungs = list(zip(self.down, self.combinators, noisy, strict=True))
        for down, combinator, rung in reversed(rungs):
            above = standardised(at_least_float32(down(guesses[-1])))
            guesses.append(combinator(standardised(rung), above))
        return guesses[:0:-1]


@final
class _Down(nn.Module):
    """From one rung to the next lower one; linear: a map cell by cell, all else densely."""

    def __init__(self, above: tuple[int, ...], below: tuple[int, ...]) -> None:
        super().__init__()
        self.below, self.spreads = below, len(above) == len(below) == 3
        if self.spreads:
            sides = zip(below[1:], above[1:], strict=True)
            factor = max(math.ceil(low / high) for low, high in sides)
            self.linear: nn.Module = enlarging(above[0], below[0], factor=factor)
        else:
            self.linear = nn.Linear(math.prod(above), math.prod(below))

    def forward(self, guess: Values) -> Values:
        if not self.spreads:
            return self.linear(guess.flatten(1)).unflatten(1, self.below)
        # What the encoder filled up at the edges has no counterpart.
        return self.linear(guess)[:, :, : self.below[1], : self.below[2]]
