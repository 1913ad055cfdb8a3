"""Some images of each class, after decoding: what the network is given."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64
from matplotlib.figure import Figure

from ae_cls.report.figures.canvas import BETWEEN, in_house_style, shortened
from ae_cls.report.figures.image_lines import CELL, LEFT, LETTERS, image_lines

Classes = Int64[np.ndarray, " n"]

MOST_CLASSES, MOST_A_CLASS = 10, 8


def contact_rows(labels: Classes, class_count: int) -> Int64[np.ndarray, " shown"]:
    """Positions of the images to show, class by class; -1 is no label.

    Of more than `MOST_CLASSES` classes the most and the least frequent ones. Of each, and of images
    without labels where no image has any, at most `MOST_A_CLASS`, evenly spread.
    """
    if not (labels >= 0).any():
        return _spread(np.arange(len(labels)), MOST_CLASSES * MOST_A_CLASS // 2)
    shown = _shown_classes(np.bincount(labels[labels >= 0], minlength=class_count))
    return np.concatenate([_spread(np.flatnonzero(labels == one), MOST_A_CLASS) for one in shown])


@in_house_style
def contact_sheet(
    images: Float[np.ndarray, "shown c h w"],
    rows: Int64[np.ndarray, " shown"],
    labels: Classes,
    class_names: Sequence[str],
    part: str,
) -> Figure | None:
    """One line a class, with its name and how many images it has; None where there is no image.

    Args:
        images: those of `contact_rows`, in [0, 1].
        rows: of `contact_rows`.
        labels: of all images of the part, -1 where there is none.
        class_names: in the order of the class index.
        part: for the title, such as `training`; empty for all.
    """
    if not len(rows):
        return None
    lines = _lines(labels[rows])
    counts = np.bincount(labels[labels >= 0], minlength=len(class_names))
    classes = [int(labels[rows[line[0]]]) for line in lines]
    names = [
        f"{shortened(class_names[one], LETTERS)}\n{counts[one]:,}" if one >= 0 else ""
        for one in classes
    ]
    length = CELL * (1 + 1 / BETWEEN) * min(MOST_A_CLASS, len(rows))
    title = _title(counts, part)
    return image_lines([images[line] for line in lines], names, title, left=LEFT, length=length)


def _spread(rows: Int64[np.ndarray, " n"], most: int) -> Int64[np.ndarray, " _"]:
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]


def _shown_classes(counts: Int64[np.ndarray, " k"]) -> list[int]:
    """All of a few classes; of many the most and the least frequent, in the order of the classes.

    A class without an image has nothing to show.
    """
    by_count = [int(one) for one in np.argsort(-counts, kind="stable") if counts[one] > 0]
    half = MOST_CLASSES // 2
    return sorted(by_count if len(by_count) <= MOST_CLASSES else by_count[:half] + by_count[-half:])


def _lines(shown: Classes) -> list[list[int]]:
    """The places of each line: of one class, or of so many as fit where there are no classes."""
    if (shown < 0).all():
        places = list(range(len(shown)))
        return [places[at : at + MOST_A_CLASS] for at in range(0, len(places), MOST_A_CLASS)]
    return [np.flatnonzero(shown == one).tolist() for one in dict.fromkeys(shown.tolist())]


def _title(counts: Int64[np.ndarray, " k"], part: str) -> str:
    there, images = int((counts > 0).sum()), f"{part} images".lstrip()
    if not there:
        return f"Some {images}, as the network is given them"
    which = "each class"
    if there > MOST_CLASSES:
        half = MOST_CLASSES // 2
        which = f"the {half} most and {half} least frequent of {there} classes"
    return f"Some {images} of {which}, as the network is given them"
