"""Where the encoder puts the images, brought down to the plane."""

import colorsys
import math
from collections.abc import Sequence

import matplotlib
import numpy as np
from jaxtyping import Float, Float32, Int64
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.manifold import TSNE
from sklearn.utils.extmath import randomized_svd

from ae_cls.machine.threads import threads_limited
from ae_cls.report.figures.canvas import in_house_style, shortened

Codes = Float32[np.ndarray, "n d"]
Plane = Float[np.ndarray, "n 2"]
Labels = Int64[np.ndarray, " n"]
Colour = tuple[float, float, float]

UNKNOWN: Colour = (0.8, 0.8, 0.8)

MOST_ROWS = 1_000  # marks of which the groups of ten classes can be seen; time grows with them
MOST_COMPONENTS = 50
ITERATIONS = 750  # of scikit-learn's 1,000: 1 % more divergence in three quarters of the time
FEWEST_FOR_TSNE = 60
"""Rows; with fewer, neighbourhoods of 30 images would be half of all."""


@in_house_style
def latent_map(
    codes: Codes, labels: Labels, class_names: Sequence[str], part: str
) -> Figure | None:
    """A map of at most `MOST_ROWS` rows coloured by class (-1: no label); `None` below two rows.

    `part` of the data is named in the title. 50 principal components, then t-SNE (van der Maaten &
    Hinton 2008), whose distances between groups mean nothing; principal components alone with few
    rows. Equal input gives an equal map.
    """
    if len(codes) < 2:
        return None
    drawn = _sample(len(codes))
    # One thread: on a shared machine two were 7 times slower (43 s against 6 s for 2,000 rows).
    with threads_limited(1):
        method, axis, plane = _to_plane(codes[drawn])
    figure = Figure(figsize=(5.4, 5.0))
    axes = figure.subplots()
    _draw_points(axes, plane, labels[drawn], len(class_names))
    _add_legend(axes, np.unique(labels[drawn]), class_names)
    of_all = f" of {len(codes):,}" if len(drawn) < len(codes) else ""
    axes.set_title(f"Codes of {len(drawn):,}{of_all} {part} images: {method}")
    axes.set_xlabel(f"first {axis}")
    axes.set_ylabel(f"second {axis}")
    return figure


def _sample(count: int) -> Int64[np.ndarray, " rows"]:
    if count <= MOST_ROWS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MOST_ROWS, replace=False))


def _to_plane(codes: Codes) -> tuple[str, str, Plane]:
    """What was done, what the axes are, and the places."""
    components = _principal_components(codes)
    if len(codes) < FEWEST_FOR_TSNE or not components.any():
        return (
            "principal components",
            "principal component (in units of the code)",
            components[:, :2],
        )
    # Principal components as the start, not noise, keep the large-scale order of the groups (Kobak
    # & Linderman 2021).
    tsne = TSNE(init="pca", perplexity=30, max_iter=ITERATIONS, random_state=0)
    return "t-SNE", "t-SNE axis (no unit)", tsne.fit_transform(components)


def _principal_components(codes: Codes) -> Float[np.ndarray, "n p"]:
    """At most 50 columns, at least two: a code of one number lies on a line."""
    centred = codes - codes.mean(axis=0)
    count = min(MOST_COMPONENTS, *centred.shape)
    left, lengths, _ = randomized_svd(centred, count, random_state=0)
    missing = max(0, 2 - count)
    return np.pad(left * lengths, ((0, 0), (0, missing)))


def _draw_points(axes: Axes, plane: Plane, labels: Labels, classes: int) -> None:
    colours = np.array([*class_colours(classes), UNKNOWN])  # the last one serves label -1
    size = np.clip(6000 / len(plane), 4, 30)  # points²
    # As vectors, thousands of marks would make the SVG large and slow to open.
    axes.scatter(*plane.T, c=colours[labels], s=size, linewidths=0, rasterized=True)
    axes.set_xticks([])
    axes.set_yticks([])


def _add_legend(axes: Axes, present: Labels, class_names: Sequence[str]) -> None:
    colours, names = [*class_colours(len(class_names)), UNKNOWN], [*class_names, "no label"]
    dots = [Line2D([], [], marker="o", linestyle="", color=colours[one]) for one in present]
    legend = axes.legend(
        dots,
        [str(one) for one in present],
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        ncols=math.ceil(len(present) / 25),
        handletextpad=0.1,
    )
    # Set afterwards: a legend leaves out names that begin with an underscore.
    for text, one in zip(legend.get_texts(), present, strict=True):
        text.set_text(shortened(names[one], 20))


def class_colours(count: int) -> list[Colour]:
    """Colours that can be told apart, as far as so many can."""
    for palette in ("tab10", "tab20"):
        if count <= len(matplotlib.color_sequences[palette]):
            return [to_rgb(colour) for colour in matplotlib.color_sequences[palette][:count]]
    # Neighbours in class order are a golden angle apart in hue and change in brightness.
    return [
        colorsys.hsv_to_rgb(
            index * 0.618034 % 1, 0.85 - 0.35 * (index % 2), 0.95 - 0.2 * (index % 3)
        )
        for index in range(count)
    ]
