"""The mistakes to look at first: wrong labels and strange images gather here."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64
from matplotlib.figure import Figure

from ae_cls.report.figures.canvas import draw_image, empty_page, in_house_style, shortened

Classes = Int64[np.ndarray, " n"]

MOST_IMAGES = 24
_COLUMNS = 6
# Inches: a cell with its gap, the image in it, the two lines above the image, the title.
_CELL, _WIDTH, _TEXT, _TITLE = 1.45, 1.15, 0.4, 0.4


def mistake_rows(
    labels: Classes, predicted: Classes, probability: Float64[np.ndarray, " n"]
) -> Int64[np.ndarray, " mistakes"]:
    """Rows of the surest wrong answers, surest first, at most `MOST_IMAGES`; -1 is no label."""
    wrong = np.flatnonzero((labels != predicted) & (labels >= 0))
    return wrong[np.argsort(-probability[wrong], kind="stable")][:MOST_IMAGES]


@in_house_style
def confident_mistakes(
    images: Float[np.ndarray, "n c h w"],
    labels: Classes,
    predicted: Classes,
    probability: Float64[np.ndarray, " n"],
    class_names: Sequence[str],
    part: str,
) -> Figure | None:
    """The surest wrong answers with both classes and the probability; `None` without mistakes.

    Images are in [0, 1] and of the part that is named, `test` or `validation`. The rows of
    `mistake_rows` are all that is drawn: give only those where all would be too many for memory.
    """
    rows = mistake_rows(labels, predicted, probability)
    if not len(rows):
        return None
    columns, height_to_width = min(len(rows), _COLUMNS), images.shape[2] / images.shape[3]
    line = _WIDTH * height_to_width + _TEXT
    figure, axes = empty_page(columns * _CELL, _TITLE + line * -(-len(rows) // columns) + 0.05)
    for number, row in enumerate(rows):
        left, top = (number % columns) * _CELL, _TITLE + (number // columns) * line
        true = shortened(class_names[int(labels[row])], 14)
        said = shortened(class_names[int(predicted[row])], 14)
        caption = f"{true} →\n{said}  {100 * probability[row]:.0f} %"
        axes.text(
            left + _CELL / 2, top + _TEXT - 0.05, caption, ha="center", va="bottom", fontsize=8
        )
        inset = (_CELL - _WIDTH) / 2
        draw_image(axes, images[row], left=left + inset, top=top + _TEXT, width=_WIDTH)
    title = f"Most confident {part} mistakes: true class → predicted class, its probability"
    axes.text(columns * _CELL / 2, 0.1, title, ha="center", va="top", fontsize=10)
    return figure
