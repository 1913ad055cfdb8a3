"""The mistakes to look at first: wrong labels and strange images gather here."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64
from matplotlib.figure import Figure

from ae_cls.report.figures.canvas import THUMBNAIL_DPI, draw_image, in_house_style, shortened

Classes = Int64[np.ndarray, " n"]

MOST_IMAGES = 24
_COLUMNS = 6


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
    figure = _empty_grid(len(rows), images.shape[2] / images.shape[3])
    for axes, row in zip(figure.axes, rows, strict=False):
        draw_image(axes, images[row])
        true = shortened(class_names[int(labels[row])], 14)
        said = shortened(class_names[int(predicted[row])], 14)
        axes.set_title(f"{true} →\n{said}  {100 * probability[row]:.0f} %", fontsize=8)
    figure.suptitle(
        f"Most confident {part} mistakes: true class → predicted class, its probability"
    )
    return figure


def _empty_grid(count: int, height_to_width: float) -> Figure:
    columns = min(count, _COLUMNS)
    lines = -(-count // columns)
    size = (1.45 * columns, (1.2 * height_to_width + 0.5) * lines + 0.4)
    figure = Figure(figsize=size, dpi=THUMBNAIL_DPI, layout="constrained")
    for unused in figure.subplots(lines, columns, squeeze=False).flat[count:]:
        unused.set_axis_off()
    return figure
