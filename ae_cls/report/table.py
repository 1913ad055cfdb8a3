"""The tables that end a command on the terminal; results, so they go to standard output."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ae_cls.errors import printable
from ae_cls.report.labels_read import labels_in_words, labels_read

if TYPE_CHECKING:
    from ae_cls.evaluate.metrics import Measure

RunMetrics = Mapping[str, Any]
"""What `metrics.json` holds; `valid`, `test` and `reconstruction` may each be absent."""


class SweepRow(TypedDict):
    """One job of a sweep; `metrics` is empty and `reason` says why where it is not finished."""

    words: Sequence[str]
    state: str
    metrics: RunMetrics
    seconds: float
    reason: str


class StatusRow(TypedDict):
    """One job of a sweep, perhaps under way: since when, and what it said last."""

    words: Sequence[str]
    state: str
    since: str
    doing: str
    reason: str


def summary_table(
    metrics: RunMetrics, seconds: Mapping[str, float], folder: Path, kept: Sequence[str] = ()
) -> RenderableType:
    """What came out of one run: accuracies, majority rate, error of the decoder, times, folder.

    A measure other than accuracy by which the head was chosen stands beside it.

    Args:
        metrics: of the run.
        seconds: of each stage, in the order to show.
        kept: stages whose output was there from an earlier run.
        folder: of the run; its path stands alone on the last line and is never cut.
    """
    table = empty_table(titles=False)
    table.add_column()
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    rows = (*_labels(metrics), *_accuracies(metrics), *_again(metrics), *_rebuilding(metrics))
    for row in rows:
        table.add_row(*map(_plain, row))
    for stage, duration in seconds.items():
        note = "kept from an earlier run" if stage in kept else ""
        table.add_row(_plain(stage), f"{duration:.1f} s", note)
    return Group(table, uncut(str(folder)))


def sweep_table(rows: Sequence[SweepRow]) -> RenderableType:
    """One line a job, in the given order; below, why each of the others is not finished.

    A sweep of `pretrain` has no accuracy and shows how well images are rebuilt. Measures other than
    accuracy by which heads were chosen have columns of their own.
    """
    classified = any("test" in row["metrics"] or "valid" in row["metrics"] for row in rows)
    titles, cells = (_ACCURACY, _accuracy_cells) if classified else (_REBUILT, _rebuilt_cells)
    measures = _measures(rows)
    table = empty_table(titles=True)
    table.add_column("job", overflow="fold")
    table.add_column("state", no_wrap=True)
    labels = ("labels",) if any(labels_read(row["metrics"]) for row in rows) else ()
    for title in (*labels, *titles, *(_title(*measure) for measure in measures), "seconds"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        duration = f"{row['seconds']:.1f}"
        others = (_measure_cell(row["metrics"], *measure) for measure in measures)
        read = (labels_read(row["metrics"]),) if labels else ()
        table.add_row(_job(row), _state(row), *read, *cells(row["metrics"]), *others, duration)
    besides = any("+" in labels_read(row["metrics"]) for row in rows)
    note = (_plain("labels: those learnt from + those for choosing settings"),) if besides else ()
    return Group(table, *note, *(_why(row) for row in rows if row["reason"]))


def status_table(rows: Sequence[StatusRow], folder: Path) -> RenderableType:
    """One line a job, in the given order; below, how many are in which state, reasons, folder."""
    table = empty_table(titles=True)
    table.add_column("job", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("last said", overflow="fold")
    for row in rows:
        table.add_row(_job(row), _state(row), row["since"], _plain(row["doing"]))
    reasons = (_why(row) for row in rows if row["reason"])
    counts = Counter(row["state"] for row in rows)
    summary = ", ".join(f"{count} {state}" for state, count in counts.items())
    return Group(table, *reasons, _plain(summary), uncut(str(folder)))


def print_table(renderable: RenderableType) -> None:
    """Print to standard output, coloured only at a terminal and only without NO_COLOR.

    Characters that the output's encoding lacks are escaped.
    """
    console = Console(file=sys.stdout, highlight=False)
    with console.capture() as capture:
        console.print(renderable, crop=False)
    text = "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def empty_table(*, titles: bool) -> Table:
    """A table to fill, with a line of titles or without."""
    # No lines: they would be noise in a pipe or an encoding without them.
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=titles)


def _labels(metrics: RunMetrics) -> Iterator[tuple[str, ...]]:
    if labels_read(metrics):
        yield "labels before test", *labels_in_words(metrics)


def _again(metrics: RunMetrics) -> Iterator[tuple[str, ...]]:
    """The accuracy by repeated folds, where the test part is too small to judge by."""
    if "accuracy" in (again := metrics.get("repeated_folds", {})):
        title = f"accuracy, {again['repeats']} x {again['folds']} folds"
        interval = f"{_interval(again)} % (95 % interval)"
        yield title, f"{_percent(again)} %", interval, f"{again['n']:,} images"


def _accuracies(metrics: RunMetrics) -> Iterator[tuple[str, ...]]:
    parts = [part for part in ("valid", "test") if part in metrics]
    for part in parts:
        one = metrics[part]
        interval = f"{_interval(one)} % (95 % interval)"
        yield f"{part} accuracy", f"{_percent(one)} %", interval, _images(one)
        if (by := _chosen_by(metrics)) != "accuracy":
            yield f"{part} {_name_of(by)}", f"{_percent(one, by)} %"
    for part in parts[-1:]:
        yield "majority-class rate", f"{100 * metrics[part]['majority_rate']:.1f} %"


def _images(one: Mapping[str, Any]) -> str:
    """How many, and in how many groups or sets of copies where some belong together."""
    if one["independent"] == one["n"]:
        return f"{one['n']:,} images"
    return f"{one['n']:,} images, {one['independent']:,} groups"


def _rebuilding(metrics: RunMetrics) -> Iterator[tuple[str, ...]]:
    if "reconstruction" in metrics:
        mse, psnr = _rebuilt_cells(metrics)
        yield "reconstruction error", mse, f"mean squared (PSNR {psnr} dB)"


_ACCURACY = ("valid %", "test %", "95 % interval")
_REBUILT = ("MSE", "PSNR dB")


def _accuracy_cells(metrics: RunMetrics) -> tuple[str, ...]:
    valid, test = (_percent(metrics[part]) if part in metrics else "" for part in ("valid", "test"))
    return valid, test, _interval(metrics["test"]) if test else ""


def _rebuilt_cells(metrics: RunMetrics) -> tuple[str, ...]:
    if "reconstruction" not in metrics:
        return "", ""
    mse, psnr = metrics["reconstruction"]["mse"], metrics["reconstruction"]["psnr"]
    return f"{mse:.4g}", "infinite" if psnr is None else f"{psnr:z.1f}"


def _chosen_by(metrics: RunMetrics) -> "Measure":
    return metrics.get("head", {}).get("chosen_by", "accuracy")


def _measures(rows: Sequence[SweepRow]) -> list[tuple[str, "Measure"]]:
    """Part and measure of each column that some row needs beside accuracy: test if there is one."""
    chosen_by: set[Measure] = {_chosen_by(row["metrics"]) for row in rows}
    part = "test" if any("test" in row["metrics"] for row in rows) else "valid"
    return [(part, measure) for measure in sorted(chosen_by) if measure != "accuracy"]


def _title(part: str, measure: "Measure") -> str:
    return f"{part} {_name_of(measure).removesuffix(' accuracy')} %"


def _name_of(measure: "Measure") -> str:
    from ae_cls.evaluate.metrics import MEASURE_NAMES  # here, as a table of states needs no NumPy

    return MEASURE_NAMES[measure]


def _measure_cell(metrics: RunMetrics, part: str, measure: "Measure") -> str:
    return _percent(metrics[part], measure) if part in metrics else ""


def _percent(metrics: Mapping[str, Any], measure: "Measure" = "accuracy") -> str:
    return f"{100 * metrics[measure]:.1f}"


def _interval(metrics: Mapping[str, Any]) -> str:
    low, high = metrics["accuracy_ci95"]
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _job(row: SweepRow | StatusRow) -> Text:
    return _plain(" ".join(row["words"]))


def _state(row: SweepRow | StatusRow) -> Text:
    return Text(row["state"], style=_COLOURS.get(row["state"], "red"))


_COLOURS = {
    "finished": "green", "finished before": "green", "running": "cyan", "waiting": "",
    "not started": "",
}  # fmt: skip


def _why(row: SweepRow | StatusRow) -> Text:
    return Text.assemble(_state(row), "  ", _job(row), ": ", _plain(row["reason"]))


def _plain(text: str) -> Text:
    """Text on one line that is never read as markup: words may hold brackets."""
    return Text(" ".join(printable(text).split()))


def uncut(text: str) -> Text:
    """Text that is never wrapped or cut, such as a path to copy."""
    return Text(printable(text).replace("\n", "\\n"), no_wrap=True, overflow="ignore")
