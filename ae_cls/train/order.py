"""Which images a step sees."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch
from jaxtyping import Int64
from torch import Tensor

from ae_cls.draws import derive_seed, generator

PositionsAt = Callable[[int], tuple[int, Int64[Tensor, " b"]]]
"""Number of the pass and positions of the images, for a step of the whole training."""
Order = Callable[[int, int, int], PositionsAt]
"""The steps on so many images, in batches of so many, for a seed."""


def passes(count: int, batch_size: int, seed: int) -> PositionsAt:
    """Pass number and positions of a step of the whole training; each pass has a new order.

    Where one image would be left over, the last batch takes one of those before it: a batch norm
    needs two. Batches of two have none to give.
    """
    steps = math.ceil(count / batch_size)
    borrowed = int(batch_size > 2 and count > batch_size and count % batch_size == 1)

    def edge(place: int) -> int:
        return place * batch_size - borrowed * (place == steps - 1)

    @lru_cache(maxsize=1)
    def order(number: int) -> Int64[Tensor, " n"]:
        # Drawn on the CPU, so that batches are the same on every device.
        return torch.randperm(count, generator=generator(seed, "order", number))

    def positions(step: int) -> tuple[int, Int64[Tensor, " b"]]:
        number, place = divmod(step, steps)
        return number, order(number)[edge(place) : edge(place + 1)]

    return positions


@final
@dataclass(frozen=True)
class Mixed:
    """Batches with a fixed share of the first images, however few of all these are.

    Attributes:
        first: how many images come first.
        share: of a batch, that these make up.
    """

    first: int
    share: float

    def __call__(self, count: int, batch_size: int, seed: int) -> PositionsAt:
        """Both kinds are passed over in their own orders, each as often as its turn comes."""
        few = min(self.first, max(1, round(self.share * batch_size)))
        of_first = passes(self.first, few, derive_seed(seed, "first"))
        of_others = passes(count - self.first, max(1, batch_size - few), seed)

        def positions(step: int) -> tuple[int, Int64[Tensor, " b"]]:
            (one, firsts), (other, others) = of_first(step), of_others(step)
            # That of the shorter passes, so that an image which comes again is drawn for anew.
            return max(one, other), torch.cat([firsts, others + self.first])

        return positions
