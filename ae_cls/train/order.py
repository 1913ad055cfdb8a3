"""Which images a step sees."""

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from jaxtyping import Int64
from torch import Tensor

from ae_cls.draws import generator


def passes(
    count: int, batch_size: int, seed: int
) -> Callable[[int], tuple[int, Int64[Tensor, " b"]]]:
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
