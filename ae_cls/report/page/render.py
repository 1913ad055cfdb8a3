"""The page of a comparison as HTML and as Markdown."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ae_cls.errors import printable
from ae_cls.report.page.template import template
from ae_cls.report.page.values import Page, Section, Table


def html(page: Page) -> str:
    """One file, complete in itself; what comes from the data is escaped wherever it stands."""
    return template(Path(__file__).with_name("page.html")).render(page=page)


def markdown(page: Page) -> str:
    """The words and tables, for an issue or a notebook."""
    lines = [line for section in page.sections for line in _section(section)]
    if page.unreadable:
        lines += ["## Not read", "", *(f"- {_text(a.folder)}: {_text(a.why)}"
                                       for a in page.unreadable), ""]  # fmt: skip
    return "\n".join(lines)


def _section(section: Section) -> Iterator[str]:
    yield from (f"# {_text(section.headline)}", "")
    for sentence in (*section.more, section.looks):
        if sentence:
            yield from (_text(sentence), "")
    for table in section.tables:
        yield from (f"## {_text(table.budget)} ({table.labels})", "", *_table(table), "")
    yield from _costs(section)
    yield from ("## How", "", *(f"- {_text(line)}" for line in section.method), "")
    yield from ("## Data and versions", "")
    yield from (*(f"- {_text(k)}: {_text(v)}" for k, v in section.facts.items()), "")
    if section.alone:
        yield from ("## Not paired", "")
        yield from (*(f"- {_text(one.folder)}: {_text(one.why)}" for one in section.alone), "")
    yield from ("## Again", "", "```")
    yield from (*(one.command.replace("`", "'") for one in section.again), "```", "")


def _table(table: Table) -> Iterator[str]:
    yield _row(("rank", "way of classifying", "right, %", "95 % interval",
                "best pretrained minus this", "pretraining", "runs"))  # fmt: skip
    yield _row(("--:", "---", "--:", "---", "---", "---", "--:"))
    for line in table.lines:
        yield _row((line.rank, line.arm, line.accuracy, line.interval, line.difference, line.said,
                    str(line.runs)))  # fmt: skip


def _costs(section: Section) -> Iterator[str]:
    yield from ("## Cost", "")
    yield _row(("way of classifying", "seconds", "images/s", "weights", "right, %"))
    yield _row(("---", "--:", "--:", "--:", "--:"))
    for cost in section.costs:
        yield _row((cost.arm, cost.seconds, cost.speed, cost.weights, cost.accuracy))
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_text(cell) for cell in cells)} |"


def _text(text: str) -> str:
    """On one line, and never read as a table's border or as HTML."""
    line = " ".join(printable(text).split())
    return line.replace("|", "\\|").replace("<", "&lt;")
