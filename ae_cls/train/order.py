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
    """Pass number and positions of a step of the whole training; each pass has a new order."""
    steps = math.ceil(count / batch_size)

    @lru_cache(maxsize=1)
    def order(number: int) -> Int64[Tensor, " n"]:
        # Drawn on the CPU, so that batches are the same on every device.
        return torch.randperm(count, generator=generator(seed, "order", number))

    def positions(step: int) -> tuple[int, Int64[Tensor, " b"]]:
        number, place = divmod(step, steps)
        return number, order(number)[place * batch_size : (place + 1) * batch_size]

    return positions
