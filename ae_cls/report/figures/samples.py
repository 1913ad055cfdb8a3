"""Images that the network makes of codes drawn from its prior."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ae_cls.report.figures.canvas import BETWEEN, in_house_style, shortened
from ae_cls.report.figures.image_lines import CELL, GAP, LEFT, LETTERS, image_lines

IN_LINE = 10
"""Images."""


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
    count = images.shape[1]
    length = CELL * (count + (count - 1) / BETWEEN)
    if names is None:
        return image_lines(list(images), [""] * len(images), title, left=GAP, length=length)
    said = [shortened(name, LETTERS) for name in names]
    return image_lines(list(images), said, title, left=LEFT, length=length)
