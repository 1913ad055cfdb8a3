"""The most similar of many rows, by cosine, found block by block: never a table of all pairs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float16, Float32, Int64
from torch import Tensor

from ae_cls.head.fitted import Features
from ae_cls.head.standardise import Standardiser, as_tensor

_COSINES, _ROWS = 1 << 24, 4096  # cosines held at a time, and of how many rows they are made
_LESS_THAN_ANY = -2.0  # no cosine

Directions = Float16[np.ndarray, "r d"]
"""Rows of length 1. Half precision moves a cosine by about 1e-5 and halves a file of them all."""


@final
@dataclass(frozen=True)
class Neighbours:
    """The most similar rows of each query, the most similar first; which of equals is left open."""

    cosines: Float32[Tensor, "q m"]
    rows: Int64[Tensor, "q m"]


def directions(features: Features, standardiser: Standardiser) -> Directions:
    """The features standardised, each row of length 1."""
    made = np.empty(features.shape, np.float16)
    for rows, block in standardiser.blocks(features):
        made[rows] = functional.normalize(torch.from_numpy(block)).numpy()
    return made


def nearest(
    features: Features, standardiser: Standardiser, rows: Directions, most: int
) -> Neighbours:
    """Of each row of features, at most so many of `rows`."""
    blocks = standardiser.blocks(features, _queries(rows))
    cosines = (_cosines(functional.normalize(torch.from_numpy(block)), rows) for _, block in blocks)
    return _largest(cosines, min(most, len(rows)))


def nearest_others(rows: Directions, most: int) -> Neighbours:
    """Of each row, at most so many of the others."""

    def cosines() -> Iterator[Float32[Tensor, "q n"]]:
        for part in torch.arange(len(rows)).split(_queries(rows)):
            block = _cosines(as_tensor(rows)[part].float(), rows)
            block[torch.arange(len(part)), part] = _LESS_THAN_ANY
            yield block

    return _largest(cosines(), min(most, len(rows) - 1))


def _queries(rows: Directions) -> int:
    return max(1, _COSINES // len(rows))


def _cosines(queries: Float32[Tensor, "q d"], rows: Directions) -> Float32[Tensor, "q n"]:
    parts = as_tensor(rows).split(_ROWS)
    return torch.cat([queries @ part.float().T for part in parts], dim=1)


def _largest(blocks: Iterable[Float32[Tensor, "q n"]], count: int) -> Neighbours:
    found = [block.topk(count) for block in blocks]
    none = torch.empty(0, count)
    return Neighbours(
        torch.cat([none, *(values for values, _ in found)]),
        torch.cat([none.long(), *(places for _, places in found)]),
    )
