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
    until = results["until"]
    titles = _TITLES if until is None else (*_TITLES, f"s to {until:.1%}")
    table = empty_table(titles=True)
    table.add_column("", no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for row in results["contenders"]:
        cells = [*_speed(row), *([] if until is None else [_reached(row)])]
        table.add_row(_title(row), *cells)
    load = f"load of the machine before: {results['load_before']:.2f}"
    took = f"{sum(seconds.values()):.0f} s in all"
    return Group(table, Text(f"{load}; {took}"), uncut(str(folder)))


def _title(row: Mapping[str, Any]) -> str:
    return row["contender"].replace("default", row["precision"])


def _speed(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['images_per_second']:,.0f}",
        f"{row['ratio']:.2f}",
        f"{row['share_of_matrix_rate']:.1%}",
        f"{row['peak_memory_mib']:,}",
    ]


def _reached(row: Mapping[str, Any]) -> str:
    return "not reached" if row["seconds_until"] is None else f"{row['seconds_until']:.1f}"
