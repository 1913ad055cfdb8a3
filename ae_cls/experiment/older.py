"""Descriptions that earlier versions wrote, in the words of this one.

What is filled in is what the earlier version did. Keys of autoencoders that came since have their
defaults in the room itself.
"""

from collections.abc import Mapping
from typing import Any

_LABELS_OF_FILES = {
    "folder": ("no_label",),
    "npz": ("no_label",),
    "csv_pixels": ("no_label", "group_column"),
    "parquet": ("no_label", "group_column"),
}


def in_todays_words(plain: Mapping[str, Any], version: int) -> dict[str, Any]:
    """A stored description as this version would have written it.

    Args:
        plain: what config.json holds; keys that are wrong stay so.
        version: of the format that it was written in, at most today's.
    """
    return _of_version_2(plain) if version <= 2 else dict(plain)


def _of_version_2(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Version 2 chose settings on validation, drew every figure, and had no folds of its own."""
    parts = {name: part for name, part in plain.items() if isinstance(part, dict)}
    dataset = parts.get("dataset", {})
    missing = dict.fromkeys(_LABELS_OF_FILES.get(str(dataset.get("name")), ()))
    filled = {
        "labels": {"choose": "validation"},
        "split": {"folds": None, "fold": 0},
        "dataset": missing,
    }
    found = {name: {**filled.get(name, {}), **part} for name, part in parts.items()}
    schedules = {name: _schedule(found[name]) for name in ("pretrain", "head") if name in found}
    return {"figures": True, **plain, **found, **schedules}


def _schedule(part: dict[str, Any]) -> dict[str, Any]:
    """Version 2 counted the fewest steps of an epoch; of all epochs they come to the same."""
    least, epochs = part.get("least_steps"), part.get("epochs")
    if not isinstance(least, int) or not isinstance(epochs, int):
        return part
    kept = {key: value for key, value in part.items() if key != "least_steps"}
    return {"min_steps": least * epochs, **kept}
