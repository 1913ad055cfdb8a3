"""What is kept between runs, as a table."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from ae_cls.errors import printable
from ae_cls.report.table import empty_table, uncut
from ae_cls.store.cleaning import Kept

_UNITS = (("day", 86_400), ("h", 3600), ("min", 60))


def cache_table(kept: Sequence[Kept], root: Path, *, now: float) -> RenderableType:
    """One line an output, then the sum and the folder."""
    table = empty_table(titles=True)
    for title in ("stage", "what", "MB", "used", "name"):
        table.add_column(title, justify="right" if title == "MB" else "left", no_wrap=True)
    for entry in kept:
        size, age = f"{entry.size / 1e6:.1f}", ago(now - entry.used)
        table.add_row(entry.stage, Text(what(entry)), size, age, entry.name[:12])
    total = f"{len(kept)} kept, {sum(entry.size for entry in kept) / 1e9:.2f} GB"
    return Group(table, Text(total), uncut(str(root)))


def what(kept: Kept) -> str:
    """Which data, which network, which part or head."""
    if kept.about.get("leftover"):
        return "leftover of a damaged entry or a killed process"
    if not kept.is_whole:
        return "checkpoints of an unfinished training"
    return printable(" ".join(str(value) for value in kept.about.values()))


def ago(seconds: float) -> str:
    """How long ago, in the largest unit that fits."""
    for name, length in _UNITS:
        if seconds >= length:
            return f"{seconds / length:.0f} {name} ago"
    return "just now"
