"""A study as a table: a line an arm, a column a label budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from rich.table import Table
from rich.text import Text

from ae_cls.report.table import empty_table


@final
@dataclass(frozen=True)
class CellRow:
    """One run of a study.

    Attributes:
        arm: what was run.
        budget: on how many labels, for people.
        accuracy: on the test part; None while there is none.
        went_wrong: whether the run is over without a result.
    """

    arm: str
    budget: str
    accuracy: float | None
    went_wrong: bool


def study_table(rows: Sequence[CellRow]) -> Table:
    """Mean test accuracy in per cent, and of how many runs while some are missing."""
    table = empty_table(titles=True)
    table.add_column("test accuracy, %", no_wrap=True)
    budgets = dict.fromkeys(row.budget for row in rows)
    for budget in budgets:
        table.add_column(budget, justify="right", no_wrap=True)
    for arm in dict.fromkeys(row.arm for row in rows):
        own = [row for row in rows if row.arm == arm]
        cells = [_cell([row for row in own if row.budget == budget]) for budget in budgets]
        table.add_row(Text(arm), *cells)
    return table


def _cell(rows: Sequence[CellRow]) -> Text:
    reached = [row.accuracy for row in rows if row.accuracy is not None]
    wrong = sum(row.went_wrong for row in rows)
    mean = f"{100 * sum(reached) / len(reached):.1f}" if reached else ""
    some = f" {len(reached)}/{len(rows)}" if len(reached) < len(rows) else ""
    failed = f" {wrong} failed" if wrong else ""
    return Text(f"{mean}{some}{failed}".strip(), style="red" if wrong else "")
