"""The page that ends `ae-cls check` on the terminal."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from ae_cls.check.findings import ClassCounts, Findings
from ae_cls.check.sentences import Sentence, Weight, facts, sentences
from ae_cls.report.table import empty_table, plain, uncut

_MOST_CLASSES = 10  # on the terminal; the page has all
_MOST_LINES = 4  # of one reason
_MARKS: dict[Weight, tuple[str, str]] = {
    "refused": ("refused", "bold red"),
    "wrong": ("wrong", "red"),
    "look": ("look", "yellow"),
    "fine": ("fine", "green"),
}


def terminal_page(found: Findings, page: Path) -> RenderableType:
    """Findings, the heaviest first; the line to type next and the path of the page stand alone."""
    return Group(
        *_facts(found),
        Text(),
        *(_finding(one) for one in sentences(found)),
        Text(),
        *_advice(found),
        Text("next, after mending:" if found.refusals else "next:"),
        uncut(f"  {found.command}"),
        uncut(str(page)),
    )


def _facts(found: Findings) -> Iterator[RenderableType]:
    if not found.images:
        return
    table = empty_table(titles=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for title, text in facts(found):
        table.add_row(title, plain(text))
    yield table
    if found.classes:
        yield Text()
        yield _classes(found.classes)


def _classes(classes: Sequence[ClassCounts]) -> RenderableType:
    table = empty_table(titles=True)
    table.add_column("class", overflow="fold")
    for part in ("train", "valid", "test"):
        table.add_column(part, justify="right", no_wrap=True)
    for one in classes[:_MOST_CLASSES]:
        table.add_row(plain(one.name), f"{one.train:,}", f"{one.valid:,}", f"{one.test:,}")
    if len(classes) > _MOST_CLASSES:
        rest = classes[_MOST_CLASSES:]
        sums = (sum(getattr(one, part) for one in rest) for part in ("train", "valid", "test"))
        table.add_row(f"and {len(rest):,} more", *(f"{count:,}" for count in sums))
    return table


def _finding(said: Sentence) -> RenderableType:
    mark, style = _MARKS[said.weight]
    table = empty_table(titles=False)
    table.add_column(no_wrap=True, min_width=7)
    table.add_column(overflow="fold")
    text = [plain(said.what)]
    lines = said.why.splitlines()
    text += [plain(line) for line in lines[:_MOST_LINES]]
    text += [Text(f"and {len(lines) - _MOST_LINES} more lines")] if len(lines) > _MOST_LINES else []
    text += [Text("→ ") + plain(line) for line in said.fix.splitlines()]
    table.add_row(Text(mark, style=style), Group(*text))
    return table


def _advice(found: Findings) -> Iterator[RenderableType]:
    for one in found.advice:
        yield Padding(Text.assemble((one.word, "cyan"), f"  {one.why}"), (0, 0, 0, 2))
