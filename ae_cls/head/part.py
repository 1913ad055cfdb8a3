"""The part of the rows that takes their place where there are many."""

import numpy as np
from jaxtyping import Int64

from ae_cls.dataset.labels import shuffled
from ae_cls.head.fitted import Labels

ENOUGH = 10_000
"""Rows to try settings on, or to come near a minimum on, where there are over twice as many."""
_LEAST_OF_A_CLASS = 20  # rows, or all there are: folds need some of every class


def drawn_part(labels: Labels, most: int, seed: int) -> Int64[np.ndarray, " _"]:
    """Positions of about `most` rows, drawn, of each class its share."""
    counts = np.bincount(labels)
    shares = np.ceil(counts * (most / len(labels))).astype(int)
    sizes = np.minimum(counts, np.maximum(_LEAST_OF_A_CLASS, shares))
    drawn = [
        shuffled(np.flatnonzero(labels == index), seed, "head", "part", index)[: sizes[index]]
        for index in np.flatnonzero(counts).tolist()
    ]
    return np.sort(np.concatenate(drawn))
