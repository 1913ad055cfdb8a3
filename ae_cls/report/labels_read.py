"""How many labels a run read before the test, as tables say it."""

from collections.abc import Mapping
from typing import Any

WITHIN = "settings chosen within them"
UNLABELLED = " u"
"""After the number, where the head has also learnt from training images without a label."""


def labels_read(metrics: Mapping[str, Any]) -> str:
    """Those learnt from, and those that settings were chosen on besides: "100 + 6,000".

    Marked where the head has learnt from training images without a label, too. Empty where nothing
    was classified.
    """
    labels = metrics.get("protocol", {}).get("labels")
    if not labels:
        return ""
    besides = f" + {labels['choose']:,}" if labels["choose"] else ""
    unlabelled = UNLABELLED if "head_saw" in metrics["protocol"] else ""
    return f"{labels['fit']:,}{besides}{unlabelled}"


def labels_in_words(metrics: Mapping[str, Any]) -> tuple[str, str]:
    """The same for one run: "100" and "+ 6,000 for choosing"."""
    labels = metrics["protocol"]["labels"]
    besides = f"+ {labels['choose']:,} for choosing" if labels["choose"] else WITHIN
    return f"{labels['fit']:,}", besides
