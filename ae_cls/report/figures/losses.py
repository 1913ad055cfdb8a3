"""How training went, from validation to validation."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from ae_cls.report.figures.canvas import in_house_style

Record = Mapping[str, Any]
"""One line of `history.jsonl`.

Read: `stage`, `epoch`, `step`, `best`, `loss` of `train` and `valid`, and `probe`.
"""

Curve = Float64[np.ndarray, " records"]

WIDE_RANGE = 10
"""From this ratio of largest to smallest loss on, the axis is logarithmic."""


@in_house_style
def loss_curves(history: Sequence[Record]) -> Figure | None:
    """The loss of training and validation, one panel a stage, with the probe; `None` without any.

    Over epochs where there is a record of each, else over steps.
    """
    stages = list(dict.fromkeys(record["stage"] for record in history))
    if not stages:
        return None
    figure = Figure(figsize=(4.8 * len(stages), 3.4), layout="constrained")
    for axes, stage in zip(figure.subplots(1, len(stages), squeeze=False)[0], stages, strict=True):
        _draw_stage(axes, [record for record in history if record["stage"] == stage])
        axes.set_title(f"{stage}: training and validation loss")
    return figure


def _draw_stage(axes: Axes, records: Sequence[Record]) -> None:
    unit = unit_of(records)
    places = [record[unit] for record in records]
    train, valid = _losses(records, "train"), _losses(records, "valid")
    marker = "o" if len(places) <= 30 else ""
    for name, losses in (("training", train), ("validation", valid)):
        if np.isfinite(losses).any():
            axes.plot(places, losses, marker=marker, markersize=3, label=name)
    _mark_kept(axes, records, unit)
    _scale(axes, np.concatenate([train, valid]))
    axes.set_xlabel(unit)
    axes.set_ylabel("loss, mean over images")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    probes = _draw_probe(axes, records, places)
    if probes:  # which may run anywhere, and have a scale of their own
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.18), "ncols": 2}
        axes.legend(handles=[*axes.lines, *probes], **below)
    elif axes.lines:
        axes.legend()


def _draw_probe(
    axes: Axes, records: Sequence[Record], places: Sequence[int | float]
) -> list[Line2D]:
    """The accuracy that labels of the budget gave, where it was measured, on an axis of its own."""
    probed = [
        (place, 100 * record["probe"])
        for place, record in zip(places, records, strict=True)
        if record.get("probe") is not None
    ]
    if not probed:
        return []
    right = axes.twinx()
    right.set_ylabel("accuracy of the probe in %")
    right.spines["right"].set_visible(True)
    return right.plot(*zip(*probed, strict=True), "C2s-", markersize=3, label="probe")


def unit_of(records: Sequence[Record]) -> str:
    """What is counted on the horizontal axis: epochs where each record is of one, else steps."""
    by_epochs = [record["epoch"] for record in records] == list(range(1, len(records) + 1))
    return "epoch" if by_epochs else "step"


def _losses(records: Sequence[Record], part: str) -> Curve:
    values = [(record[part] or {}).get("loss") for record in records]
    return np.array(values, dtype=np.float64)  # None becomes NaN, which is not drawn


def _mark_kept(axes: Axes, records: Sequence[Record], unit: str) -> None:
    """The last record that was the best so far: training leaves its weights."""
    best = [record[unit] for record in records if record.get("best")]
    if best:
        label = f"weights kept: {unit} {best[-1]:,}"
        axes.axvline(best[-1], color="grey", linestyle=":", label=label)


def _scale(axes: Axes, losses: Curve) -> None:
    known = losses[np.isfinite(losses)]
    if known.size and known.min() > 0 and known.max() / known.min() >= WIDE_RANGE:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        # Plain digits: powers of ten would need mathematical text, which is off.
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
