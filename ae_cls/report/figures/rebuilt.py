"""What the autoencoder makes of images."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ae_cls.report.figures.canvas import draw_image, empty_page, in_house_style, shortened

Images = Float[np.ndarray, "n c h w"]

MOST_IMAGES = 12
# Inches: a cell, the gap around its image, and the room for text on three sides.
_CELL, _GAP, _LEFT, _ABOVE, _BELOW = 0.95, 0.03, 0.7, 0.5, 0.25


@in_house_style
def reconstructions(
    inputs: Images,
    corrupted: Images,
    from_intact: Images,
    from_corrupted: Images,
    labels: Sequence[str] | None,
) -> Figure:
    """The first images and what is rebuilt from them, as they are and as in training.

    Args:
        inputs: clean images in [0, 1], at least one; the first `MOST_IMAGES` are drawn.
        corrupted: what the encoder saw in training; where that equals `inputs`, it and what is
            rebuilt from it have no row.
        from_intact: rebuilt from `inputs`, clipped to [0, 1] for display only.
        from_corrupted: rebuilt from `corrupted`, clipped for display only.
        labels: the name of each image's class, if known.
    """
    given, rebuilt = {"intact": inputs}, {"intact": from_intact}
    if not np.array_equal(inputs, corrupted):
        given, rebuilt = given | {"corrupted": corrupted}, rebuilt | {"corrupted": from_corrupted}
    rows = [*_titled("input", given), *_titled("rebuilt", rebuilt)]
    shown = inputs[:MOST_IMAGES]
    line = _CELL * shown.shape[2] / shown.shape[3]
    below = _ABOVE + line * len(rows)
    figure, axes = empty_page(_LEFT + _CELL * len(shown), below + _BELOW * len(rebuilt))
    for row, (title, images) in enumerate(rows):
        _draw_row(axes, title, images, top=_ABOVE + row * line, height=line)
    _name(axes, labels or ())
    for place, (name, images) in enumerate(rebuilt.items()):
        _write_errors(axes, name, inputs, images, below + _BELOW * place)
    middle = _LEFT + _CELL * len(shown) / 2
    title = "Images rebuilt by the pretrained network; below, mean squared errors"
    axes.text(middle, 0.05, title, ha="center", va="top", fontsize=10)
    return figure


def _titled(title: str, kinds: Mapping[str, Images]) -> Iterator[tuple[str, Images]]:
    for kind, images in kinds.items():
        yield (f"{kind}\n{title}" if len(kinds) > 1 else title), images


def _draw_row(axes: Axes, title: str, images: Images, *, top: float, height: float) -> None:
    axes.text(_LEFT - 0.1, top + height / 2, title, ha="right", va="center", rotation=90)
    for column, image in enumerate(images[:MOST_IMAGES]):
        left = _LEFT + column * _CELL
        draw_image(axes, image, left=left + _GAP, top=top + _GAP, width=_CELL - 2 * _GAP)


def _centre(column: int) -> float:
    return _LEFT + (column + 0.5) * _CELL


def _name(axes: Axes, labels: Sequence[str]) -> None:
    for column, label in enumerate(labels[:MOST_IMAGES]):
        name = shortened(label, 13)
        axes.text(_centre(column), _ABOVE, name, ha="center", va="bottom", fontsize=8)


def _write_errors(axes: Axes, name: str, inputs: Images, outputs: Images, top: float) -> None:
    """Under each column the mean squared error against the clean input, before clipping."""
    axes.text(_LEFT - 0.05, top + 0.05, name, ha="right", va="top", fontsize=8)
    errors = ((outputs - inputs) ** 2).mean(axis=(1, 2, 3))
    for column, error in enumerate(errors[:MOST_IMAGES]):
        axes.text(_centre(column), top + 0.05, f"{error:.4f}", ha="center", va="top", fontsize=8)
