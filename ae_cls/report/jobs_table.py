"""The tables of sweeps and searches: a line a job with a column a key, then means over seeds."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from rich.console import Group, RenderableType
from rich.text import Text

from ae_cls.report.labels_read import UNLABELLED, labels_read
from ae_cls.report.one_line import Column, OneLineRows
from ae_cls.report.table import (
    RunMetrics,
    chosen_by,
    interval,
    name_of,
    plain,
    rebuilt_cells,
    supervised_prior,
    uncut,
)

if TYPE_CHECKING:
    from ae_cls.evaluate.metrics import Measure

REPEATS = ("seed", "labels.draw", "split.seed")
"""Keys that say which draw a job is, not what it does: means are over them."""

_REBUILT = "reconstruction.intact"


@final
@dataclass(frozen=True)
class JobRow:
    """One job of a sweep or search, as it is now.

    Attributes:
        keys: those that tell it from the others, with its values.
        state: in words.
        metrics: as in metrics.json; empty unless it has finished.
        seconds: that it has taken; None where it took none.
        doing: what it said last, while it runs.
        reason: why it is not finished, or what is to be known of it besides.
    """

    keys: Mapping[str, str]
    state: str
    metrics: RunMetrics
    seconds: float | None
    doing: str = ""
    reason: str = ""

    @property
    def words(self) -> str:
        """The job as it was typed."""
        return " ".join(f"{key}={value}" if value else key for key, value in self.keys.items())


def jobs_table(rows: Sequence[JobRow]) -> RenderableType:
    """One line a job, in the given order; below, means over seeds, and why jobs are not finished.

    Accuracies, or how well images are rebuilt where nothing was classified. Measures other than
    accuracy by which heads were chosen have columns of their own.
    """
    reasons = [_why(row) for row in rows if row.reason]
    return Group(OneLineRows([*_columns(rows)]), *_what_labels(rows), *_means(rows), *reasons)


def status_table(rows: Sequence[JobRow], folder: Path) -> RenderableType:
    """As `jobs_table`, then how many jobs are in which state, and the folder."""
    counts = Counter(row.state for row in rows)
    summary = ", ".join(f"{count} {state}" for state, count in counts.items())
    return Group(jobs_table(rows), plain(summary), uncut(str(folder)))


def _columns(rows: Sequence[JobRow]) -> Iterator[Column]:
    for key in _keys(rows):
        yield Column.of_texts(key, [row.keys.get(key, "") for row in rows])
    yield Column("state", [_state(row) for row in rows], "left", may_be_cut=False)
    labels = [labels_read(row.metrics) for row in rows]
    if any(labels):
        yield Column.of_numbers("labels", labels)
    priors = ["yes" if supervised_prior(row.metrics) else "" for row in rows]
    if any(priors):
        yield Column("supervised prior", [*map(plain, priors)], "left", may_be_cut=False)
    yield from _scores(rows)
    yield Column.of_numbers("seconds", [_seconds(row) for row in rows])
    if any(row.doing for row in rows):
        yield Column.of_texts("last said", [row.doing for row in rows])


def _what_labels(rows: Sequence[JobRow]) -> Iterator[RenderableType]:
    labels = [labels_read(row.metrics) for row in rows]
    if any("+" in one for one in labels):
        yield plain("labels: those learnt from + those for choosing settings")
    if any(one.endswith(UNLABELLED) for one in labels):
        yield plain("u: the head has also learnt from training images without a label")


def _keys(rows: Sequence[JobRow]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row.keys))


def _scores(rows: Sequence[JobRow]) -> Iterator[Column]:
    for score in _scored(rows):
        yield Column.of_numbers(score.title, [score.spelt(score.of(row.metrics)) for row in rows])
        if (score.part, score.name) == ("test", "accuracy"):
            yield Column.of_numbers("95 % interval", [_interval(row.metrics) for row in rows])
        if score.part == _REBUILT:
            yield Column.of_numbers("PSNR dB", [_psnr(row.metrics) for row in rows])


@final
@dataclass(frozen=True)
class Score:
    """A number that jobs are compared by.

    Attributes:
        title: of its column.
        part: of the metrics, which has it; a part of a part after a dot.
        name: of the number in that part.
    """

    title: str
    part: str
    name: str

    def of(self, metrics: RunMetrics) -> float | None:
        """The number; None where there is none."""
        for part in self.part.split("."):
            metrics = metrics.get(part, {})
        return metrics.get(self.name)

    def spelt(self, value: float | None) -> str:
        """Errors as they are, all else in per cent; empty for None."""
        if value is None:
            return ""
        return f"{value:.4g}" if self.part == _REBUILT else f"{100 * value:.1f}"


def _scored(rows: Sequence[JobRow]) -> list[Score]:
    """What some job has: accuracies and the measures that heads were chosen by, or the error."""
    parts = [part for part in ("valid", "test") if any(part in row.metrics for row in rows)]
    if not parts:
        rebuilt = any("reconstruction" in row.metrics for row in rows)
        return [Score("MSE", _REBUILT, "mse")] if rebuilt else []
    chosen: set[Measure] = {chosen_by(row.metrics) for row in rows}
    measures: list[Measure] = [name for name in sorted(chosen) if name != "accuracy"]
    accuracies = [Score(f"{part} %", part, "accuracy") for part in parts]
    titles = {name: name_of(name).removesuffix(" accuracy") for name in measures}
    last = parts[-1]
    return [*accuracies, *(Score(f"{last} {titles[name]} %", last, name) for name in measures)]


def _means(rows: Sequence[JobRow]) -> Iterator[RenderableType]:
    """Mean, standard deviation and number of the finished jobs that differ in draws alone."""
    keys, scores = _keys(rows), _scored(rows)
    repeated = [key for key in keys if key in REPEATS]
    others = [key for key in keys if key not in REPEATS]
    alike: dict[tuple[str, ...], list[RunMetrics]] = defaultdict(list)
    for row in rows:
        if row.metrics:
            alike[tuple(row.keys.get(key, "") for key in others)].append(row.metrics)
    if not repeated or not scores or not alike:
        return
    yield Text()
    yield plain(f"mean over {', '.join(repeated)}, and standard deviation (sd) of one run")
    named = [
        Column.of_texts(key, [values[place] for values in alike])
        for place, key in enumerate(others)
    ]
    groups = list(alike.values())
    counts = Column.of_numbers("n", [str(len(group)) for group in groups])
    yield OneLineRows([*named, counts, *(c for score in scores for c in _summed(score, groups))])


def _summed(score: Score, groups: Sequence[Sequence[RunMetrics]]) -> tuple[Column, Column]:
    values = [
        [value for metrics in group if (value := score.of(metrics)) is not None] for group in groups
    ]
    means = [statistics.fmean(own) if own else None for own in values]
    deviations = [statistics.stdev(own) if len(own) > 1 else None for own in values]
    return (
        Column.of_numbers(score.title, [*map(score.spelt, means)]),
        Column.of_numbers("sd", [*map(score.spelt, deviations)]),
    )


def _interval(metrics: RunMetrics) -> str:
    return interval(metrics["test"]) if "test" in metrics else ""


def _psnr(metrics: RunMetrics) -> str:
    return rebuilt_cells(metrics)[1] if "reconstruction" in metrics else ""


def _seconds(row: JobRow) -> str:
    return "" if row.seconds is None else f"{row.seconds:.1f}"


def _state(row: JobRow) -> Text:
    return Text(row.state, style=_COLOURS.get(row.state, "red"))


_COLOURS = {
    "finished": "green", "finished before": "green", "running": "cyan", "waiting": "",
    "not started": "",
}  # fmt: skip


def _why(row: JobRow) -> Text:
    job = (plain(row.words), ": ") if row.keys else ()
    return Text.assemble(_state(row), "  ", *job, plain(row.reason))
