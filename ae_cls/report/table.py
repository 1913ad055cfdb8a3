"""The tables that end a command on the terminal; results, so they go to standard output."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ae_cls.errors import printable
from ae_cls.report.labels_read import labels_in_words, labels_read

if TYPE_CHECKING:
    from ae_cls.evaluate.metrics import Measure

RunMetrics = Mapping[str, Any]
"""What `metrics.json` holds; `valid`, `test` and `reconstruction` may each be absent."""

_UNBOUNDED = 100_000  # letters in a line


BEST_OF_MANY = "the best of them looks better than it is"


def summary_table(
    metrics: RunMetrics,
    seconds: Mapping[str, float],
    folder: Path,
    kept: Sequence[str] = (),
    test_read_by: int = 0,
    test_reads: int = 0,
) -> RenderableType:
    """What came out of one run: accuracies, majority rate, error of the decoder, times, folder.

    A measure other than accuracy by which the head was chosen stands beside it.

    Args:
        metrics: of the run.
        seconds: of each stage, in the order to show.
        kept: stages whose output was there from an earlier run.
        folder: of the run; its path stands alone on the last line and is never cut.
        test_read_by: runs that have read the same test part, this one among them.
        test_reads: how often it was read, by equal runs too.
    """
    table = empty_table(titles=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    for _ in range(2):  # in a narrow terminal these wrap, and nothing is cut
        table.add_column(justify="right", overflow="fold")
    rows = (
        *_prior(metrics),
        *_labels(metrics),
        *_accuracies(metrics),
        *_again(metrics),
        *_rebuilding(metrics),
    )
    for row in rows:
        table.add_row(*map(plain, row))
    if "test" in metrics and test_read_by > 1:
        table.add_row("test part read by", f"{test_read_by:,} runs", BEST_OF_MANY)
    elif "test" in metrics and test_reads > 1:
        table.add_row("test part read", f"{test_reads:,} times", "by equal runs")
    for stage, duration in seconds.items():
        note = "kept from an earlier run" if stage in kept else ""
        table.add_row(plain(stage), f"{duration:.1f} s", note)
    return Group(table, uncut(str(folder)))


def print_table(renderable: RenderableType) -> None:
    """Print to standard output, coloured only at a terminal and only without NO_COLOR.

    As wide as the terminal or COLUMNS says; in a pipe or file no line is wrapped or cut. Characters
    that the output's encoding lacks are escaped.
    """
    is_free = not (sys.stdout.isatty() or os.environ.get("COLUMNS"))
    console = Console(file=sys.stdout, highlight=False, width=_UNBOUNDED if is_free else None)
    with console.capture() as capture:
        console.print(renderable, crop=False)
    text = "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def empty_table(*, titles: bool) -> Table:
    """A table to fill, with a line of titles or without."""
    # No lines: they would be noise in a pipe or an encoding without them.
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=titles)


def _prior(metrics: RunMetrics) -> Iterator[tuple[str, ...]]:
    if prior := supervised_prior(metrics):
        yield "supervised prior", "", prior


def supervised_prior(metrics: RunMetrics) -> str:
    """What the encoder knew before, perhaps from labels; empty where it began at random."""
    return metrics.get("protocol", {}).get("supervised_prior", "")


def _labels(metrics: RunMetrics) -> Iterator[tuple[str, ...]]:
    if labels_read(metrics):
        yield "labels before test", *labels_in_words(metrics)
    if saw := metrics.get("protocol", {}).get("head_saw"):
        yield "the head saw", "", saw


def _again(metrics: RunMetrics) -> Iterator[tuple[str, ...]]:
    """The accuracy by repeated folds, where the test part is too small to judge by."""
    if "accuracy" in (again := metrics.get("repeated_folds", {})):
        title = f"accuracy, {again['repeats']} x {again['folds']} folds"
        between = f"{interval(again)} % (95 % interval)"
        yield title, f"{percent(again)} %", between, f"{again['n']:,} images"


def _accuracies(metrics: RunMetrics) -> Iterator[tuple[str, ...]]:
    parts = [part for part in ("valid", "test") if part in metrics]
    for part in parts:
        one = metrics[part]
        where = f"{interval(one)} % (95 % interval)"
        yield f"{part} accuracy", f"{percent(one)} %", where, _images(one)
        if (by := chosen_by(metrics)) != "accuracy":
            yield f"{part} {name_of(by)}", f"{percent(one, by)} %"
    for part in parts[-1:]:
        yield "majority-class rate", f"{100 * metrics[part]['majority_rate']:.1f} %"


def _images(one: Mapping[str, Any]) -> str:
    """How many, and in how many groups or sets of copies where some belong together."""
    if one["independent"] == one["n"]:
        return f"{one['n']:,} images"
    return f"{one['n']:,} images, {one['independent']:,} groups"


def _rebuilding(metrics: RunMetrics) -> Iterator[tuple[str, ...]]:
    rebuilt = metrics.get("reconstruction", {})
    for name, title in _WAYS_TO_REBUILD.items():
        if name in rebuilt:
            yield title, f"{rebuilt[name]['mse']:.4g}", _explained(rebuilt[name])
    if rebuilt:
        pca, colour = (rebuilt[name]["mse"] for name in ("pca", "mean_colour"))
        # With as many numbers as an image has, PCA loses nothing, which says nothing.
        beside = [("of PCA of that size", f"{pca:.4g}")] if pca else []
        yield from [*beside, ("of the mean colour", f"{colour:.4g}")]


_WAYS_TO_REBUILD = {
    "intact": "reconstruction error",
    "corrupted": "of corrupted images",
    "mean_of_samples": "of a mean of samples",
}


def _explained(one: Mapping[str, Any]) -> str:
    share = one["explained"]
    return "" if share is None else f"explains {100 * share:.1f} % of the variance"


def rebuilt_cells(metrics: RunMetrics) -> tuple[str, ...]:
    """The decoder's mean squared error, and its PSNR in dB."""
    intact = metrics.get("reconstruction", {}).get("intact")
    if intact is None:
        return "", ""
    mse, psnr = intact["mse"], intact["psnr"]
    return f"{mse:.4g}", "infinite" if psnr is None else f"{psnr:z.1f}"


def chosen_by(metrics: RunMetrics) -> "Measure":
    """The measure on validation by which the head was chosen."""
    return metrics.get("head", {}).get("chosen_by", "accuracy")


def name_of(measure: "Measure") -> str:
    from ae_cls.evaluate.metrics import MEASURE_NAMES  # here, as a table of states needs no NumPy

    return MEASURE_NAMES[measure]


def percent(metrics: Mapping[str, Any], measure: "Measure" = "accuracy") -> str:
    """A measure of one part, in per cent."""
    return f"{100 * metrics[measure]:.1f}"


def interval(metrics: Mapping[str, Any]) -> str:
    """The 95 % interval of the accuracy of one part, in per cent."""
    low, high = metrics["accuracy_ci95"]
    return f"{100 * low:.1f} to {100 * high:.1f}"


def plain(text: str) -> Text:
    """Text on one line that is never read as markup: words may hold brackets."""
    return Text(" ".join(printable(text).split()))


def uncut(text: str) -> Text:
    """Text that is never wrapped or cut, such as a path to copy."""
    return Text(printable(text).replace("\n", "\\n"), no_wrap=True, overflow="ignore")
