"""Which classes are taken for which."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ae_cls.report.figures.canvas import in_house_style, shortened

Counts = Int64[np.ndarray, "k k"]
Shares = Float64[np.ndarray, "k k"]

MOST_WITH_NUMBERS = 20
"""Classes; with more, numbers would not be readable and only some classes are named."""


@in_house_style
def confusion_matrix(matrix: Counts, class_names: Sequence[str], part: str) -> Figure:
    """Counts of true class (rows) against predicted class, coloured by share of the row.

    Args:
        matrix: the counts.
        class_names: in the order of the class index.
        part: what the images are: `test` or `validation`.
    """
    images = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(images, 1)
    side = np.clip(0.42 * len(matrix), 2.6, 6.5)
    figure = Figure(figsize=(side + 1.2, side))
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="none")
    figure.colorbar(
        picture,
        ax=axes,
        label="share of the true class",
        format=PercentFormatter(1, symbol=" %"),
        fraction=0.046,
        pad=0.03,
    )
    _name_classes(axes, class_names)
    if len(matrix) <= MOST_WITH_NUMBERS:
        _write_counts(axes, matrix, shares)
    accuracy = 100 * matrix.trace() / max(int(matrix.sum()), 1)
    axes.set_title(
        f"Confusion matrix\n{accuracy:.1f} % of {matrix.sum():,} {part} images are right"
    )
    return figure


def _name_classes(axes: Axes, class_names: Sequence[str]) -> None:
    step = math.ceil(len(class_names) / MOST_WITH_NUMBERS)
    places = range(0, len(class_names), step)
    names = [shortened(class_names[place], 20) for place in places]
    upright = max(map(len, names)) <= 2
    axes.set_xticks(places, names, rotation=0 if upright else 90)
    axes.set_yticks(places, names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")


def _write_counts(axes: Axes, matrix: Counts, shares: Shares) -> None:
    size = 8 if matrix.max() < 1000 else 6.5
    for row, column in np.argwhere(matrix):  # blank where there is none: what is left stands out
        count, colour = matrix[row, column], "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=size)
