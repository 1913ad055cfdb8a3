"""Folds of labelled rows: each holds back some of every class, and keeps what belongs together."""

import numpy as np
from jaxtyping import Int64

from ae_cls.dataset.contract import Rows
from ae_cls.dataset.labels import shuffled


def stratified_folds(
    labels: Int64[np.ndarray, " n"],
    units: Int64[np.ndarray, " n"],
    *,
    most: int,
    seed: int,
    purpose: str,
) -> tuple[Rows, ...]:
    """The positions that each fold holds back, in ascending order; none where nothing can be.

    There are as many folds as the most frequent class has units, at most `most`. The rows of a
    class come into the folds as evenly as whole units allow, and what stays of a fold shows every
    class: the rows of a class with one unit are never held back. Where fewer than two classes have
    two units there are no folds, as they would tell nothing of the one class from the others.

    Args:
        labels: class index of each row.
        units: number of each row, the same for rows that must stay together.
        most: folds.
        seed: of the draw.
        purpose: what the folds are for; another one draws others.
    """
    _, unit = np.unique(units, return_inverse=True)
    class_of_unit = np.full(unit.max(initial=-1) + 1, labels.max(initial=0) + 1)
    np.minimum.at(class_of_unit, unit, labels)  # copies may have two labels: the first counts
    sizes = np.bincount(class_of_unit)
    if np.count_nonzero(sizes >= 2) < 2:
        return ()
    fold_of_unit = _dealt(
        class_of_unit, np.bincount(unit), min(most, int(sizes.max())), seed, purpose
    )
    fold = fold_of_unit[unit]
    held = [np.flatnonzero(fold == number) for number in range(fold.max() + 1)]
    return tuple(rows for rows in held if len(np.unique(np.delete(labels, rows))) >= 2)


def _dealt(
    class_of_unit: Int64[np.ndarray, " u"],
    rows_of_unit: Int64[np.ndarray, " u"],
    folds: int,
    seed: int,
    purpose: str,
) -> Int64[np.ndarray, " u"]:
    """The fold of each unit, -1 for one that is never held back."""
    fold_of_unit = np.full(len(class_of_unit), -1)
    in_all = np.zeros(folds, np.int64)
    for index in np.unique(class_of_unit).tolist():
        members = np.flatnonzero(class_of_unit == index)
        if len(members) < 2:
            continue
        of_class = np.zeros(folds, np.int64)
        for member in shuffled(members, seed, "folds", purpose, index).tolist():
            # The fold with the fewest rows of the class, of equal ones that with the fewest in all.
            fold = int(np.lexsort((in_all, of_class))[0])
            fold_of_unit[member] = fold
            of_class[fold] += rows_of_unit[member]
            in_all[fold] += rows_of_unit[member]
    return fold_of_unit
