"""The nearest of many vectors: all are compared, or, of very many, those in the same cells."""

import numpy as np
import torch
from jaxtyping import Float32, Int64
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

MOST_COMPARED = 20_000
"""Vectors, up to which all are compared with all: beyond, time would grow with the square."""

_PER_CELL = 128  # vectors, on average, to each anchor
_CELLS = 4  # in which each vector can be found

Vectors = Float32[np.ndarray, "_ d"]


def nearest(queries: Vectors, vectors: Vectors, count: int) -> Int64[np.ndarray, "_ k"]:
    """The places of `count` vectors near to each query, the nearest first.

    All vectors are of length 1. Of more than `MOST_COMPARED`, a query sees those that have its
    anchor among their nearest four: very near ones are hardly ever missed, others may be.
    """
    if len(vectors) <= MOST_COMPARED:
        index = NearestNeighbors(algorithm="brute").fit(vectors)
        return index.kneighbors(queries, count, return_distance=False).astype(np.int64)
    return _in_cells(torch.from_numpy(queries), torch.from_numpy(vectors), count).numpy()


def _in_cells(queries: Tensor, vectors: Tensor, count: int) -> Int64[Tensor, "_ k"]:
    anchors = vectors[::_PER_CELL]
    asked = _cells_of(queries, anchors, 1)[:, 0]
    members = _cells_of(vectors, anchors, _CELLS).flatten()
    order, owners = members.argsort(stable=True), torch.arange(len(vectors))
    ends = torch.bincount(members, minlength=len(anchors)).cumsum(0).tolist()
    found = torch.zeros(len(queries), count, dtype=torch.int64)
    for cell, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        rows = (asked == cell).nonzero()[:, 0]
        inside = owners.repeat_interleave(_CELLS)[order[start:end]]
        if len(rows):
            found[rows] = _best(queries[rows] @ vectors[inside].T, inside, count)
    return found


def _cells_of(vectors: Tensor, anchors: Tensor, count: int) -> Int64[Tensor, "_ c"]:
    parts = [(part @ anchors.T).topk(count, 1).indices for part in vectors.split(4096)]
    return torch.cat(parts)


def _best(products: Tensor, inside: Int64[Tensor, " m"], count: int) -> Int64[Tensor, "q k"]:
    """The members of the largest products; of fewer members than asked for, the last again."""
    places = products.topk(min(count, len(inside)), 1).indices
    missing = count - places.shape[1]
    return inside[torch.cat([places, places[:, -1:].expand(-1, missing)], 1)]
