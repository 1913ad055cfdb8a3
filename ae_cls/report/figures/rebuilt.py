"""What the autoencoder makes of images."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ae_cls.report.figures.canvas import THUMBNAIL_DPI, draw_image, in_house_style, shortened

Images = Float[np.ndarray, "n c h w"]

MOST_IMAGES = 12


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
    grid = _empty_grid(len(rows), inputs[:MOST_IMAGES])
    for (title, images), row in zip(rows.items(), grid, strict=True):
        row[0].set_ylabel(title)
        for axes, image in zip(row, images, strict=False):
            draw_image(axes, image)
    _name(grid[0], labels)
    _write_errors(grid[-1], inputs, outputs)
    figure = grid[0, 0].figure
    above = 1 + 0.35 / figure.get_figheight()  # 0.35 inches: room for the class names
    figure.suptitle("Images and their mean squared error (MSE) after the autoencoder", y=above)
    return figure


def _empty_grid(rows: int, images: Images) -> np.ndarray:
    """Cells that touch, except for a narrow gap; all text stands outside of the grid."""
    columns, _, height, width = images.shape
    cell = 0.95  # inches
    figure = Figure(figsize=(cell * columns, cell * rows * height / width), dpi=THUMBNAIL_DPI)
    edges = {"left": 0, "right": 1, "bottom": 0, "top": 1, "wspace": 0.06, "hspace": 0.06}
    return figure.subplots(rows, columns, squeeze=False, gridspec_kw=edges)


def _name(row: np.ndarray, labels: Sequence[str] | None) -> None:
    for axes, label in zip(row, labels or (), strict=False):
        axes.set_title(shortened(label, 13), fontsize=8)


def _write_errors(row: np.ndarray, inputs: Images, outputs: Images) -> None:
    """Under each output its mean squared error against the clean input, before clipping."""
    errors = ((outputs - inputs) ** 2).mean(axis=(1, 2, 3))
    for axes, error in zip(row, errors, strict=False):
        axes.set_xlabel(f"{error:.4f}", fontsize=8)
    row[0].set_xlabel(f"MSE {errors[0]:.4f}", fontsize=8)
