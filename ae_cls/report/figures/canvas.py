"""What all figures share: one style, images in cells, strangers' text, and rendering to bytes."""

from functools import cache
from io import BytesIO

import matplotlib
import matplotlib.style
import numpy as np
from jaxtyping import Float
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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

in_house_style = matplotlib.style.context(STYLE)
"""Decorates each function that makes or draws a figure; what was set before comes back after."""

THUMBNAIL_DPI = 48.0
"""Of figures that hold many photographs, which a larger scale would make an SVG of megabytes."""

SMALL_IMAGE = 64
"""Pixels. Up to this side the pixels themselves are shown, in an SVG without resampling."""


@in_house_style
def render(figure: Figure) -> dict[str, bytes]:
    """The figure as `png` and `svg`: the same bytes each time, without dates."""
    dpi = matplotlib.rcParams["figure.dpi"]
    return {
        "png": _file(figure, "png", dpi, {"Software": None}),
        "svg": _file(figure, "svg", figure.dpi, {"Date": None}),
    }


def draw_image(axes: Axes, image: Float[np.ndarray, "c h w"]) -> None:
    """One grey or colour image without ticks in a pale frame, its values clipped to [0, 1]."""
    shown = np.clip(np.nan_to_num(image), 0, 1).transpose(1, 2, 0)
    interpolation = "none" if max(image.shape) <= SMALL_IMAGE else "auto"
    axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation=interpolation)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(visible=True, color="silver", linewidth=0.5)


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


def _file(figure: Figure, kind: str, dpi: float, metadata: dict[str, str | None]) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, dpi=dpi, bbox_inches="tight", metadata=metadata)
    return buffer.getvalue()
