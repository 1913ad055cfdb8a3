"""The verdict on the terminal: its sentences, then a table a budget."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ae_cls.report.page.values import Page, Section
from ae_cls.report.page.values import Table as BudgetTable
from ae_cls.report.table import empty_table, plain, uncut


def verdict_table(page: Page, files: Sequence[Path]) -> RenderableType:
    """The same words as on the page; below, the files that have all of it."""
    return Group(
        *(part for section in page.sections for part in _section(section)),
        *(plain(f"not read: {one.folder}: {one.why}") for one in page.unreadable[:10]),
        *_rest(len(page.unreadable), "not read"),
        *(uncut(str(path)) for path in files),
    )


def _section(section: Section) -> Iterator[RenderableType]:
    yield Text.assemble((plain(section.headline).plain, "bold"))
    for sentence in (*section.more, section.looks):
        if sentence:
            yield plain(sentence)
    for table in section.tables:
        yield Text()
        yield plain(f"{table.budget} ({table.labels})")
        yield _table(table)
    yield Text()
    yield from (plain(f"not paired: {one.folder}: {one.why}") for one in section.alone[:10])
    yield from _rest(len(section.alone), "not paired")


def _table(budget: BudgetTable) -> Table:
    table = empty_table(titles=True)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("arm")
    for title in ("test %", "95 % interval", "best pretrained\nminus this"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("pretraining")
    for line in budget.lines:
        cells = (line.rank, line.arm, line.accuracy, line.interval, line.difference, line.said)
        table.add_row(*map(plain, cells), style="bold" if line.leads else "")
    return table


def _rest(count: int, what: str) -> Iterator[Text]:
    if count > 10:
        yield plain(f"and {count - 10} more {what}; the page lists them")
