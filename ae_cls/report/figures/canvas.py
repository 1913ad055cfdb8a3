"""What all figures share: one style, images in cells, strangers' text, and rendering to bytes."""

from functools import cache
from io import BytesIO
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
from jaxtyping import Float
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.transforms import BboxBase

from ae_cls.errors import printable

# A user's matplotlibrc must not change a figure, and no text is ever read as mathematics: a class
# may be called "$x_1$". The salt makes the identifiers inside an SVG the same in each run.
STYLE = [
    "default",
    {
        "font.size": 9,
        "figure.dpi": 150,  # of a PNG, and of what is a bitmap inside an SVG
        "axes.titlesize": 9,
        "figure.titlesize": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "text.parse_math": False,
        "svg.hashsalt": "ae-cls",
    },
]

BETWEEN = 16
"""In a strip of images, one pixel in so many of the width parts two of them."""
_SILVER = 0.75  # grey of that pixel

_MARGIN = 0.1  # inches around what is drawn

in_house_style = matplotlib.style.context(STYLE)
"""Decorates each function that makes or draws a figure; what was set before comes back after."""

THUMBNAIL_DPI = 48.0
"""Of figures that hold many photographs, which a larger scale would make an SVG of megabytes."""

SMALL_IMAGE = 64
"""Pixels. Up to this side the pixels themselves are shown, in an SVG without resampling."""


@in_house_style
def render(figure: Figure) -> dict[str, bytes]:
    """The figure as `png` and `svg`: the same bytes each time, without dates."""
    drawn = _extent(figure)
    dpi = matplotlib.rcParams["figure.dpi"]
    return {
        # zlib's fastest level: 30 ms less a figure for 2 to 8 % more bytes.
        "png": _file(
            figure, "png", drawn, dpi=dpi, metadata={"Software": None},
            pil_kwargs={"compress_level": 1},
        ),
        "svg": _file(figure, "svg", drawn, dpi=figure.dpi, metadata={"Date": None}),
    }  # fmt: skip


def _extent(figure: Figure) -> BboxBase:
    """What is drawn on, in inches: measured once, where "tight" would do so again for each file."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()  # which moves the axes to their places
    return figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer()).padded(_MARGIN)


def empty_page(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure for photographs, and axes that fill it, in inches from the upper left corner.

    One page takes a tenth of the time that axes for each photograph would.
    """
    figure = Figure(figsize=(width, height), dpi=THUMBNAIL_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return figure, axes


def draw_image(
    axes: Axes, image: Float[np.ndarray, "c h w"], *, left: float, top: float, width: float
) -> None:
    """One grey or colour image on a page in a pale frame, its values clipped to [0, 1]."""
    height = width * image.shape[1] / image.shape[2]
    shown = np.clip(np.nan_to_num(image), 0, 1).transpose(1, 2, 0)
    shown = shown if shown.shape[2] == 3 else shown[:, :, 0]
    interpolation = "none" if max(image.shape) <= SMALL_IMAGE else "auto"
    place = (left, left + width, top + height, top)
    picture = AxesImage(axes, cmap="gray", interpolation=interpolation, extent=place)
    picture.set_data(shown)
    picture.set_clim(0, 1)
    picture.set_clip_path(axes.patch)
    axes.add_image(picture)
    frame = {"fill": False, "edgecolor": "silver", "linewidth": 0.5}
    axes.add_patch(Rectangle((left, top), width, height, **frame))


def strip(images: Float[np.ndarray, "n c h w"]) -> Float[np.ndarray, "c h wide"]:
    """One image of all: to draw eighty takes a second, to draw ten a quarter of that."""
    count, channels, height, width = images.shape
    between = np.full((count, channels, height, max(1, width // BETWEEN)), _SILVER, images.dtype)
    pairs = np.concatenate([images, between], 3).transpose(1, 2, 0, 3)
    return pairs.reshape(channels, height, -1)[:, :, : -between.shape[3]]


def shortened(text: str, length: int) -> str:
    """`text` fit to be drawn: on one line, at most `length` characters, only glyphs of the font.

    An ellipsis stands for the middle, because names often differ at their ends.
    """
    line = printable(text).replace("\n", "\\n")
    drawn = "".join(letter if ord(letter) in _glyphs() else "□" for letter in line)
    tail = (length - 1) // 3
    return drawn if len(drawn) <= length else f"{drawn[: length - 1 - tail]}…{drawn[-tail:]}"


@cache
def _glyphs() -> frozenset[int]:
    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    return frozenset(font.get_charmap())


def _file(figure: Figure, kind: str, drawn: BboxBase, **options: Any) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, bbox_inches=drawn, **options)
    return buffer.getvalue()
