"""Rows that belong together: copies of one picture, and pictures of one group."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Int64, Shaped, UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Numbers = Int64[np.ndarray, " n"]
"""One a row; rows with the same number belong together."""
Rows = Int64[np.ndarray, " _"]


@final
@dataclass(frozen=True)
class Copies:
    """Which rows of a data set show the same picture.

    Attributes:
        pixels: a hash of each row's pixels, the same for equal images only.
        alike: number of each row, the same for rows that a person would call copies: equal,
            mirrored, moved, cropped or zoomed by a little, encoded again, lighter, darker.
        compared: whether nearly equal ones were looked for; False in a very large set.
    """

    pixels: UInt64[np.ndarray, " n"]
    alike: Numbers
    compared: bool

    @property
    def equal(self) -> Numbers:
        """Number of each row, the same for equal images only."""
        return first_places(self.pixels)

    @property
    def is_copy(self) -> Bool[np.ndarray, " n"]:
        """Whether another row shows the same picture, equal or nearly equal."""
        return together(self.alike)


def first_places(values: Shaped[np.ndarray, " n"]) -> Numbers:
    """Where each value stands for the first time."""
    _, firsts, numbers = np.unique(values, return_index=True, return_inverse=True)
    return firsts[numbers].astype(np.int64)


def together(numbers: Shaped[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Whether the number of each row is that of another one, too."""
    _, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return counts[places] > 1


def sets_of(numbers: Shaped[np.ndarray, " n"]) -> list[Rows]:
    """The rows of each number that two or more have, by their first row."""
    rows = np.flatnonzero(together(numbers))
    rows = rows[np.argsort(first_places(numbers)[rows], kind="stable")]
    firsts = first_places(numbers)[rows]
    return np.split(rows, np.flatnonzero(np.diff(firsts)) + 1) if len(rows) else []


def of_two_labels(numbers: Shaped[np.ndarray, " n"], labels: Numbers) -> list[Rows]:
    """The rows with a label (not negative) of each set in which labels differ."""
    known = [rows[labels[rows] >= 0] for rows in sets_of(numbers)]
    return [rows for rows in known if len(np.unique(labels[rows])) > 1]


def joined(count: int, columns: Sequence[Numbers]) -> Numbers:
    """A number for each of `count` rows, the same for rows that any column puts together.

    A negative number puts a row together with no other.
    """
    edges = [_to_the_first(column) for column in columns]
    return linked(count, np.concatenate([np.zeros((2, 0), np.int64), *edges], axis=1))


def linked(count: int, pairs: Int64[np.ndarray, "2 _"]) -> Numbers:
    """A number for each of `count` rows, the same for rows that a chain of pairs links."""
    first, second = pairs
    graph = coo_array((np.ones(len(first), bool), (first, second)), (count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _to_the_first(column: Numbers) -> Int64[np.ndarray, "2 _"]:
    """An edge from each row to the first one with its number."""
    known = np.flatnonzero(column >= 0)
    return np.stack([known, known[first_places(column[known])]])
