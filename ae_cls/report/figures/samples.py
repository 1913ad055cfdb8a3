"""Images that the network makes of codes drawn from its prior."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ae_cls.report.figures.canvas import (
    BETWEEN,
    draw_image,
    empty_page,
    in_house_style,
    shortened,
    strip,
)

IN_LINE = 10
"""Images."""
# Inches: an image, the gap below a line, the room for names on the left and for the title above.
_CELL, _GAP, _LEFT, _ABOVE = 0.72, 0.06, 1.45, 0.4
_NAME = 20  # letters of a name


@in_house_style
def samples(
    images: Float[np.ndarray, "lines n c h w"], names: Sequence[str] | None, title: str
) -> Figure:
    """One line for each part of the prior, or several of one that has no parts.

    Args:
        images: near [0, 1], clipped to it for display only.
        names: of the lines; None: they have none.
        title: above all.
    """
    lines, count, _, tall, wide = images.shape
    height, left = _CELL * tall / wide, _GAP if names is None else _LEFT
    length = _CELL * (count + (count - 1) / BETWEEN)
    figure, axes = empty_page(left + length + _GAP, _ABOVE + (height + _GAP) * lines)
    for number, line in enumerate(images):
        top = _ABOVE + number * (height + _GAP)
        if names is not None:
            name = shortened(names[number], _NAME)
            axes.text(left - 0.1, top + height / 2, name, ha="right", va="center", fontsize=8)
        draw_image(axes, strip(line), left=left, top=top, width=length)
    axes.text(0.05, 0.1, title, ha="left", va="top", fontsize=10)
    return figure
