"""Lines of images below each other, with what they are called on the left."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ae_cls.report.figures.canvas import draw_image, empty_page, strip

CELL, GAP, LEFT = 0.72, 0.06, 1.45
"""Inches: the width of an image, the gap below a line, the room for names."""
LETTERS = 20
"""Of a name."""
_ABOVE = 0.4  # inches: the room for the title


def image_lines(
    lines: Sequence[Float[np.ndarray, "_ c h w"]],
    names: Sequence[str],
    title: str,
    *,
    left: float,
    length: float,
) -> Figure:
    """A page of these lines.

    Args:
        lines: at least one; near [0, 1], clipped to it for display only.
        names: of the lines, as they are drawn; empty: none.
        title: above all.
        left: inches before the images.
        length: inches that a line may take.
    """
    height = CELL * lines[0].shape[2] / lines[0].shape[3]
    figure, axes = empty_page(left + length + GAP, _ABOVE + (height + GAP) * len(lines))
    for number, (line, name) in enumerate(zip(lines, names, strict=True)):
        top, row = _ABOVE + number * (height + GAP), strip(line)
        if name:
            axes.text(left - 0.1, top + height / 2, name, ha="right", va="center", fontsize=8)
        own = height * row.shape[2] / row.shape[1]
        draw_image(axes, row, left=left, top=top, width=min(own, length))
    axes.text(0.05, 0.1, title, ha="left", va="top", fontsize=10)
    return figure
