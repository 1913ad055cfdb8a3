"""The most similar of many rows, by cosine, found block by block: never a table of all pairs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float16, Float32, Int64
from sklearn.decomposition import TruncatedSVD
from torch import Tensor

from ae_cls.head.fitted import Features
from ae_cls.head.standardise import Standardiser, as_tensor

_COSINES, _ROWS = 1 << 24, 4096  # cosines held at a time, and of how many rows they are made
_LESS_THAN_ANY = -2.0  # no cosine

Directions = Float16[np.ndarray, "r a"]
"""Rows of length 1. Half precision moves a cosine by about 1e-5 and halves a file of them all."""

Components = Float32[np.ndarray, "a d"]
"""The few numbers by which wide rows are compared: sums of their features, weighed by these."""
_ENOUGH = 4  # rows a feature that these are found from


@final
@dataclass(frozen=True)
class Neighbours:
    """The most similar rows of each query, the most similar first; which of equals is left open."""

    cosines: Float32[Tensor, "q m"]
    rows: Int64[Tensor, "q m"]


def directions(
    features: Features, standardiser: Standardiser, components: Components | None = None
) -> Directions:
    """The features standardised, each row of length 1; with components, these in their place."""
    width = features.shape[1] if components is None else len(components)
    made = np.empty((len(features), width), np.float16)
    for rows, block in standardiser.blocks(features):
        made[rows] = _of_length_1(block, components).numpy()
    return made


def main_components(features: Features, standardiser: Standardiser, count: int) -> Components:
    """So many orthogonal ones, which keep as much as can be of rows of length 1."""
    every = max(1, len(features) // (_ENOUGH * features.shape[1]))
    rows = directions(features[::every], standardiser).astype(np.float32)
    found = TruncatedSVD(min(count, len(rows)), random_state=0).fit(rows)
    return np.asarray(found.components_, np.float32)


def nearest(
    features: Features,
    standardiser: Standardiser,
    rows: Directions,
    most: int,
    components: Components | None = None,
) -> Neighbours:
    """Of each row of features, at most so many of `rows`, which have these components."""
    blocks = standardiser.blocks(features, _queries(rows))
    cosines = (_cosines(_of_length_1(block, components), rows) for _, block in blocks)
    return _largest(cosines, min(most, len(rows)))


def nearest_others(rows: Directions, most: int) -> Neighbours:
    """Of each row, at most so many of the others."""

    def cosines() -> Iterator[Float32[Tensor, "q n"]]:
        for part in torch.arange(len(rows)).split(_queries(rows)):
            block = _cosines(as_tensor(rows)[part].float(), rows)
            block[torch.arange(len(part)), part] = _LESS_THAN_ANY
            yield block

    return _largest(cosines(), min(most, len(rows) - 1))


def _of_length_1(
    block: Float32[np.ndarray, "b d"], components: Components | None
) -> Float32[Tensor, "b a"]:
    vectors = torch.from_numpy(block)
    if components is not None:
        vectors = vectors @ torch.from_numpy(components).T
    return functional.normalize(vectors)


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
