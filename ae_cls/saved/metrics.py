"""The numbers of a saved run, read without torch."""

from pathlib import Path
from typing import Any

from ae_cls.saved.whole import refuse_damage
from ae_cls.store.files import read_json

METRICS = "metrics.json"


def read_metrics(folder: Path) -> dict[str, Any]:
    """The metrics of a finished run; empty where there are none.

    Raises:
        ModelFileError: they are not as the run wrote them.
    """
    refuse_damage(folder, METRICS)
    return read_json(folder / METRICS)
