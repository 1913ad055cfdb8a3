"""How healthy a network was while it trained, from validation to validation."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ae_cls.report.figures.canvas import in_house_style
from ae_cls.report.figures.losses import Record, unit_of

_PANELS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("code of {size} numbers", {"rank": "effective rank", "active": "active numbers"}),
    (
        "mean squared error of intact images",
        {"mse": "network", "pca_mse": "PCA of the same size", "mean_image_mse": "mean image"},
    ),
    (
        "share that does not work",
        {
            "dead": "dead numbers of the code",
            "dead_channels": "dead channels of the deepest map",
            "saturated": "saturated pixels",
        },
    ),
    ("KL divergence of the code in nats", {"kl": "mean over images"}),
    (
        "codebook of {entries} entries",
        {"used": "entries in use", "perplexity": "perplexity"},
    ),
)
"""Title of each panel, and the names of its curves by measure."""

_LEAST_HEIGHT = 0.1  # of the shares: a hundredth should not look like much

_FLOORS = ("pca_mse", "mean_image_mse")  # the same throughout


@in_house_style
def health_curves(history: Sequence[Record]) -> Figure | None:
    """What was measured of the network after each epoch; `None` where nothing was."""
    records = [record for record in history if record.get("health")]
    if not records:
        return None
    last = records[-1]["health"]
    panels = [panel for panel in _PANELS if any(name in last for name in panel[1])]
    figure = Figure(figsize=(3.4 * len(panels), 3.0), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        _draw(axes, records, names)
        axes.set_title(title.format(**last))
    return figure


def _draw(axes: Axes, records: Sequence[Record], names: Mapping[str, str]) -> None:
    unit = unit_of(records)
    places = [record[unit] for record in records]
    marker = "o" if len(places) <= 30 else ""
    for name, label in names.items():
        values = np.array([record["health"].get(name) for record in records], dtype=np.float64)
        if np.isfinite(values).any() and name in _FLOORS:
            style = "--" if name == "pca_mse" else ":"
            axes.axhline(np.nanmax(values), color="grey", linestyle=style, label=label)
        elif np.isfinite(values).any():
            axes.plot(places, values, marker=marker, markersize=3, label=label)
    axes.set_ylim(0, max(axes.get_ylim()[1], _LEAST_HEIGHT if "dead" in names else 0))
    axes.set_xlabel(unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(frameon=True, edgecolor="none")
