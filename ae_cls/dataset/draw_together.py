"""A stratified draw of rows some of which belong together: all of a unit are drawn, or none."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int64

from ae_cls.dataset.contract import Rows

Counts = Int64[np.ndarray, " k"]


def drawn_together(
    orders: Sequence[Rows], classes: Int64[np.ndarray, " n"], units: Rows, quotas: Counts
) -> Rows:
    """Rows to hold out, in ascending order.

    As many of each class as its quota says, or as near as whole units allow. A class always keeps
    a row, and where it can it gives one if its quota is not 0.

    Args:
        orders: the rows of each class, in the order in which they are drawn.
        classes: class index of each row.
        units: number of the unit of each row.
        quotas: rows to hold out of each class.
    """
    draw = _Draw(classes, units, quotas)
    for index, order in enumerate(orders):
        for row in order.tolist():
            if draw.drawn[index] >= quotas[index]:
                break
            draw.offer(row)
    for index in np.flatnonzero((draw.drawn == 0) & (quotas > 0)).tolist():
        draw.give_one(orders[index])
    return np.flatnonzero(draw.is_held)


class _Draw:
    """What has been drawn so far."""

    def __init__(self, classes: Int64[np.ndarray, " n"], units: Rows, quotas: Counts) -> None:
        self.classes, self.quotas = classes, quotas
        numbers, self.unit = np.unique(units, return_inverse=True)
        self.order = np.argsort(self.unit, kind="stable")
        self.starts = np.searchsorted(self.unit[self.order], np.arange(len(numbers) + 1))
        self.left = np.bincount(classes, minlength=len(quotas))
        self.drawn = np.zeros_like(quotas)
        self.is_held = np.zeros(len(classes), bool)

    def offer(self, row: int) -> None:
        """Hold the row's unit if no class comes farther from its quota by it."""
        rows, counts = self._unit(row)
        touched = counts > 0
        # A unit that goes over the quota by less than it would fall short without it.
        if not self.is_held[row] and (2 * self.drawn + counts <= 2 * self.quotas)[touched].all():
            self._hold(rows, counts)

    def give_one(self, order: Rows) -> None:
        """Hold the smallest unit of a class of which nothing was drawn."""
        units = sorted(self._units(order), key=lambda unit: len(unit[0]))
        for rows, counts in units[:1]:
            self._hold(rows, counts)

    def _units(self, order: Rows) -> Iterator[tuple[Rows, Counts]]:
        """Those of a class that are not held, by the order of the draw."""
        seen = set[int]()
        for row in order.tolist():
            unit = int(self.unit[row])
            if unit not in seen and not self.is_held[row]:
                seen.add(unit)
                rows, counts = self._unit(row)
                if self._leaves_some(counts):
                    yield rows, counts

    def _unit(self, row: int) -> tuple[Rows, Counts]:
        unit = self.unit[row]
        rows = self.order[self.starts[unit] : self.starts[unit + 1]]
        return rows, np.bincount(self.classes[rows], minlength=len(self.quotas))

    def _hold(self, rows: Rows, counts: Counts) -> None:
        if self._leaves_some(counts):
            self.is_held[rows] = True
            self.drawn += counts
            self.left -= counts

    def _leaves_some(self, counts: Counts) -> bool:
        """Whether each class that the unit has keeps a row."""
        return bool((self.left > counts)[counts > 0].all())
