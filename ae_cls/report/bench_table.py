"""The table that ends `ae-cls bench`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ae_cls.report.table import empty_table, uncut

_TITLES = ("images/s", "ratio", "matrix rate", "MiB")


def bench_table(
    results: Mapping[str, Any], seconds: Mapping[str, float], folder: Path
) -> RenderableType:
    """One line a contender; the path of the folder stands alone on the last line.

    Args:
        results: what bench.json holds.
        seconds: of each stage.
        folder: of the run.
    """
    table = empty_table(titles=True)
    table.add_column("", no_wrap=True)
    for title in _TITLES:
        table.add_column(title, justify="right", no_wrap=True)
    for row in results["contenders"]:
        table.add_row(_title(row), *_speed(row))
    load = f"load of the machine before: {results['load_before']:.2f}"
    took = f"{sum(seconds.values()):.0f} s in all"
    lines = [*_race(results), f"{load}; {took}"]
    return Group(table, *map(Text, lines), uncut(str(folder)))


def _title(row: Mapping[str, Any]) -> str:
    return row["contender"].replace("default", row["precision"])


def _speed(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['images_per_second']:,.0f}",
        f"{row['ratio']:.2f}",
        f"{row['share_of_matrix_rate']:.1%}",
        f"{row['peak_memory_mib']:,}",
    ]


def _race(results: Mapping[str, Any]) -> list[str]:
    """Who reached the accuracy, and when; empty without a race."""
    if not results["race"]:
        return []
    theirs, ours = results["race"]
    head = f"From the start of a process to {results['until']:.1%} of the validation images right:"
    return [head, _reached(theirs), _reached(ours), *_compared(theirs, ours)]


def _reached(row: Mapping[str, Any]) -> str:
    name = row["contender"].partition(",")[0]
    if row["seconds_until"] is not None:
        return f"  {name}: {row['seconds_until']:.1f} s"
    return (
        f"  {name}: not reached; {row['best_accuracy']:.1%} at best, in "
        f"{row['seconds_in_all']:.1f} s"
    )


def _compared(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """How many times as long the tutorials' way took, or at least took."""
    if ours["seconds_until"] is None:
        return []
    if theirs["seconds_until"] is None:
        tried = theirs["seconds_in_all"] / ours["seconds_until"]
        return [f"  the tutorials' way took {tried:.1f} times as long and did not get there"]
    ratio = theirs["seconds_until"] / ours["seconds_until"]
    return [f"  the tutorials' way took {ratio:.1f} times as long"]
