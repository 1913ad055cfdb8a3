"""What a comparison shows: accuracy by labels with bands, and accuracy by cost."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import matplotlib
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ae_cls.report.figures.canvas import STYLE, shortened

_DARK_INK = {
    name: "#e8eaed"
    for name in (
        "text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor",
        "xtick.color", "ytick.color", "xtick.labelcolor", "ytick.labelcolor",
    )
}  # fmt: skip
_CLEAR = {"figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none"}
# Told apart by people who see no red and green (Okabe & Ito 2008); a lighter blue, for black.
_COLOURS = ("#2b8cde", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
_GREY = "#8a8f96"
_SIZE = (4.9, 4.4)  # inches: readable on a phone
_LONGEST = 30  # characters of a name
_BANDS = 3  # more would hide each other
_LISTED = 12  # in a legend; of more, those without a colour are one entry
_UNLISTED = "_"  # a label that begins so has no entry: matplotlib


class Curve(NamedTuple):
    """An arm at its label budgets: labels, and shares of right answers with their bands."""

    name: str
    labels: list[float]
    mean: list[float]
    low: list[float]
    high: list[float]
    is_pretrained: bool


class Point(NamedTuple):
    """An arm at one budget: what it cost and how good it is."""

    name: str
    seconds: float
    mean: float
    low: float
    high: float
    is_pretrained: bool


def label_curve(
    curves: Sequence[Curve], *, break_even: float | None, ticks: Sequence[float], dark: bool
) -> Figure:
    """Share of new images that are recognised, by number of labels.

    Args:
        curves: the important ones first: three have bands, and the seventh on are grey.
        break_even: number of labels at which pretraining and the best control are as good.
        ticks: numbers of labels to name.
        dark: for a dark page.
    """
    with _page_style(dark=dark):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        entries = _entries([curve.name for curve in curves])
        for place, (curve, entry) in enumerate(zip(curves, entries, strict=True)):
            _draw_curve(axes, curve, entry, _colour(place), has_band=place < _BANDS)
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(list(ticks), [f"{tick:,.0f}" for tick in ticks])
        if break_even is not None:
            axes.axvline(break_even, color=_GREY, linestyle=":", linewidth=1)
            axes.annotate(
                "break-even", (break_even, 0.02), xycoords=("data", "axes fraction"),
                xytext=(4, 0), textcoords="offset points",
            )  # fmt: skip
        axes.set_xlabel("labels")
        _percent_axis(axes)
        _legend(figure)
    return figure


def cost_points(points: Sequence[Point], *, dark: bool) -> Figure:
    """Share of new images that are recognised, by seconds of computing."""
    with _page_style(dark=dark):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        entries = _entries([point.name for point in points])
        for place, (point, entry) in enumerate(zip(points, entries, strict=True)):
            spread = [[max(0.0, point.mean - point.low)], [max(0.0, point.high - point.mean)]]
            axes.errorbar(
                point.seconds, point.mean, yerr=spread, color=_colour(place), capsize=2,
                marker="o" if point.is_pretrained else "s", linestyle="", markersize=5,
                label=entry,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel("seconds of computing")
        _percent_axis(axes)
        _legend(figure)
    return figure


@contextmanager
def _page_style(*, dark: bool) -> Iterator[None]:
    with matplotlib.style.context([*STYLE, _CLEAR, *([_DARK_INK] if dark else [])]):
        yield


def _draw_curve(axes: Axes, curve: Curve, entry: str, colour: str, *, has_band: bool) -> None:
    style = "o-" if curve.is_pretrained else "s--"
    axes.plot(
        curve.labels, curve.mean, style, color=colour, linewidth=1.5, markersize=4,
        label=entry,
    )  # fmt: skip
    if has_band:
        ends = (curve.low, curve.high)
        axes.fill_between(curve.labels, *ends, color=colour, alpha=0.15, linewidth=0)


def _entries(names: Sequence[str]) -> list[str]:
    """What the legend calls each, the important ones first."""
    entries = [shortened(name, _LONGEST) for name in names]
    if len(entries) <= _LISTED:
        return entries
    grey = len(entries) - len(_COLOURS)
    return [*entries[: len(_COLOURS)], f"{grey} others", *[_UNLISTED] * (grey - 1)]


def _legend(figure: Figure) -> None:
    figure.legend(loc="outside lower center", fontsize=8, ncols=2)


def _colour(place: int) -> str:
    return _COLOURS[place] if place < len(_COLOURS) else _GREY


def _percent_axis(axes: Axes) -> None:
    axes.set_ylabel("new images recognised, %")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
    axes.grid(axis="y", color=_GREY, alpha=0.25, linewidth=0.6)
