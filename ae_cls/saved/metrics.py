"""The numbers of a saved run, read without torch."""

from pathlib import Path
from typing import Any

from ae_cls.store.received import MOST_PER_CLASS, read_json

METRICS = "metrics.json"


def read_metrics(folder: Path) -> dict[str, Any]:
    """The metrics of a finished run; empty where there are none."""
    return read_json(folder / METRICS, most=MOST_PER_CLASS)
