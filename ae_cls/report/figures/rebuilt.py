"""What the autoencoder makes of images."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ae_cls.report.figures.canvas import draw_image, empty_page, in_house_style, shortened

Images = Float[np.ndarray, "n c h w"]

MOST_IMAGES = 12
# Inches: a cell, the gap around its image, and the room for text on three sides.
_CELL, _GAP, _LEFT, _ABOVE, _BELOW = 0.95, 0.03, 0.55, 0.5, 0.25


@in_house_style
def reconstructions(
    inputs: Images, corrupted: Images, outputs: Images, labels: Sequence[str] | None
) -> Figure:
    """The first images, what the encoder saw of them where that differs, and the output.

    Args:
        inputs: clean images in [0, 1], at least one; the first `MOST_IMAGES` are drawn.
        corrupted: what the encoder saw in training; its row is left out when it equals `inputs`.
        outputs: rebuilt images, clipped to [0, 1] for display only.
        labels: the name of each image's class, if known.
    """
    rows = {"input": inputs, "corrupted\ninput": corrupted, "output": outputs}
    if np.array_equal(inputs, corrupted):
        del rows["corrupted\ninput"]
    shown = inputs[:MOST_IMAGES]
    line = _CELL * shown.shape[2] / shown.shape[3]
    figure, axes = empty_page(_LEFT + _CELL * len(shown), _ABOVE + line * len(rows) + _BELOW)
    for row, (title, images) in enumerate(rows.items()):
        top = _ABOVE + row * line
        axes.text(_LEFT - 0.1, top + line / 2, title, ha="right", va="center", rotation=90)
        for column, image in enumerate(images[:MOST_IMAGES]):
            left = _LEFT + column * _CELL
            draw_image(axes, image, left=left + _GAP, top=top + _GAP, width=_CELL - 2 * _GAP)
    _name(axes, labels or ())
    _write_errors(axes, inputs, outputs, _ABOVE + line * len(rows))
    middle = _LEFT + _CELL * len(shown) / 2
    title = "Images and their mean squared error (MSE) after the autoencoder"
    axes.text(middle, 0.05, title, ha="center", va="top", fontsize=10)
    return figure


def _centre(column: int) -> float:
    return _LEFT + (column + 0.5) * _CELL


def _name(axes: Axes, labels: Sequence[str]) -> None:
    for column, label in enumerate(labels[:MOST_IMAGES]):
        name = shortened(label, 13)
        axes.text(_centre(column), _ABOVE, name, ha="center", va="bottom", fontsize=8)


def _write_errors(axes: Axes, inputs: Images, outputs: Images, top: float) -> None:
    """Under each output its mean squared error against the clean input, before clipping."""
    errors = ((outputs - inputs) ** 2).mean(axis=(1, 2, 3))
    for column, error in enumerate(errors[:MOST_IMAGES]):
        text = f"{error:.4f}" if column else f"MSE {error:.4f}"
        axes.text(_centre(column), top + 0.05, text, ha="center", va="top", fontsize=8)
