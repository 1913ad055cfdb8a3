"""What the parts of a data set share: copies of pictures, and groups such as patients."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ae_cls.dataset.contract import Dataset, Rows
from ae_cls.dataset.copies import of_two_labels, sets_of, together
from ae_cls.dataset.split import Split

Facts = dict[str, Any]


def leaks(dataset: Dataset, split: Split) -> Facts:
    """How many images are copies, and how many of a held-out part are copies of training images.

    `seen_in_training` counts the images of a part of which an equal or nearly equal one is among
    those that the encoder or the head learns from. It is 0 where the parts are ours.
    """
    copies = dataset.copies
    assert copies is not None, "nobody has looked for copies"
    return {
        "looked_for": "equal and nearly equal images" if copies.compared else "equal images",
        "copies": int(copies.is_copy.sum()),
        "sets": len(sets_of(copies.alike)),
        "equal": int(together(copies.pixels).sum()),
        "seen_in_training": {
            "valid": len(_also_learnt(dataset, split, split.valid)),
            "test": len(_also_learnt(dataset, split, split.test)),
        },
        "sets_with_two_labels": len(_two_labels(dataset)),
    }


def groups(dataset: Dataset, split: Split) -> Facts:
    """How many groups there are, how many images have one, and what lies in two parts."""
    if dataset.groups is None:
        return {}
    known = dataset.groups[dataset.groups >= 0]
    learnt = dataset.groups[_learnt(split)]
    held = {"valid": split.valid, "test": split.test}
    return {
        "count": len(np.unique(known)),
        "images": len(known),
        "seen_in_training": {
            part: int(np.isin(_grouped(dataset.groups[rows]), learnt).sum())
            for part, rows in held.items()
        },
    }


def notes(dataset: Dataset, split: Split) -> Iterator[str]:
    """The same in sentences, each only where there is something to say."""
    found, grouped = leaks(dataset, split), groups(dataset, split)
    if found["copies"]:
        yield (
            f"{found['copies']:,} of {len(dataset.labels):,} images are copies of others: "
            f"{found['sets']:,} sets of equal or nearly equal ones, first {_first(dataset)}; where "
            "the parts are ours, a set stays in one, and intervals count it once"
        )
    for part, rows in (("validation", split.valid), ("test", split.test)):
        if len(seen := _also_learnt(dataset, split, rows)):
            yield (
                f"{len(seen):,} of {len(rows):,} {part} images are equal or nearly equal to "
                f"training images, first {_pair(dataset, split, int(seen[0]))}: the official "
                "parts are kept, and the score is too good by as much as that helps"
            )
    if pairs := _two_labels(dataset):
        yield f"{len(pairs):,} sets of copies have two labels, first {_names(dataset, pairs[0])}"
    if grouped:
        yield (
            f"{grouped['images']:,} images are in {grouped['count']:,} groups; where the parts are "
            "ours, a group stays in one, and intervals count it once"
        )
    if grouped and (shared := sum(grouped["seen_in_training"].values())):
        yield (
            f"{shared:,} validation or test images are of groups that training images are of, too: "
            "the parts are official, so they are kept"
        )


def _learnt(split: Split) -> Rows:
    return split.pool


def _also_learnt(dataset: Dataset, split: Split, rows: Rows) -> Rows:
    """Those of the rows that show what a row shows from which something is learnt."""
    assert dataset.copies is not None
    alike = dataset.copies.alike
    return rows[np.isin(alike[rows], alike[_learnt(split)])]


def _grouped(numbers: Rows) -> Rows:
    return numbers[numbers >= 0]


def _two_labels(dataset: Dataset) -> list[Rows]:
    assert dataset.copies is not None
    return of_two_labels(dataset.copies.alike, dataset.labels.numpy())


def _first(dataset: Dataset) -> str:
    assert dataset.copies is not None
    return _names(dataset, sets_of(dataset.copies.alike)[0])


def _pair(dataset: Dataset, split: Split, row: int) -> str:
    """A held-out row, and the first training row that it is a copy of."""
    assert dataset.copies is not None
    learnt, alike = _learnt(split), dataset.copies.alike
    return _names(dataset, np.array([row, learnt[alike[learnt] == alike[row]][0]]))


def _names(dataset: Dataset, rows: Rows) -> str:
    if dataset.paths:
        return " and ".join(dataset.paths[row] for row in rows[:2])
    return "rows " + " and ".join(str(row) for row in rows[:2])
