"""How many labels a run read before the test, as tables say it."""

from collections.abc import Mapping
from typing import Any

WITHIN = "settings chosen within them"


def labels_read(metrics: Mapping[str, Any]) -> str:
    """Those learnt from, and those that settings were chosen on besides: "100 + 6,000".

    Empty where nothing was classified.
    """
    labels = metrics.get("protocol", {}).get("labels")
    if not labels:
        return ""
    besides = f" + {labels['choose']:,}" if labels["choose"] else ""
    return f"{labels['fit']:,}{besides}"


def labels_in_words(metrics: Mapping[str, Any]) -> tuple[str, str]:
    """The same for one run: "100" and "+ 6,000 for choosing"."""
    labels = metrics["protocol"]["labels"]
    besides = f"+ {labels['choose']:,} for choosing" if labels["choose"] else WITHIN
    return f"{labels['fit']:,}", besides
