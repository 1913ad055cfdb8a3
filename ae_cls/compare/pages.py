"""The verdict laid out for its page: every number as text, every figure as a data URI."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ae_cls.compare.arms import Arm
from ae_cls.compare.runs import FinishedRun, Unreadable
from ae_cls.compare.sentences import further_sentences, headline
from ae_cls.compare.verdict import Row, Verdict
from ae_cls.errors import ModelFileError, StorageError
from ae_cls.evaluate.claims import FEWEST_DRAWS
from ae_cls.evaluate.health import head_warnings
from ae_cls.evaluate.interval import wilson_interval
from ae_cls.evaluate.paired import Comparison
from ae_cls.report.figures import confusion_matrix, render
from ae_cls.report.figures.verdict import Curve, Point, cost_points, label_curve
from ae_cls.report.page.template import data_uri
from ae_cls.report.page.values import (
    Again,
    Alone,
    ClassLine,
    Cost,
    Line,
    Page,
    Picture,
    Section,
    Table,
)
from ae_cls.saved.names import REPORT_PAGE, RESULTS, TIMES
from ae_cls.store import ledger
from ae_cls.store.received import read_bytes

Command = Callable[[Arm], str]
"""The one command that makes the runs of an arm again."""

_LARGEST_PICTURE = 600_000  # bytes of a file in a run's figures folder
_PICTURES = {
    "reconstructions": "Images, and what the network makes of their codes",
    "samples": "Images that the network makes of codes drawn from its prior",
    "latent_map": "Codes of validation images, as a map",
    "confident_mistakes": "Test images that are surely taken for something else",
}


def page_of(verdicts: Sequence[Verdict], unreadable: Sequence[Unreadable], again: Command) -> Page:
    """All that is said, ready to be shown."""
    return Page([section_of(one, again) for one in verdicts], _alone(unreadable))


def section_of(found: Verdict, again: Command) -> Section:
    """What is said of one data set."""
    runs = [run for arm in found.arms for run in arm.runs.values()]
    shown = _shown_arms(found)
    return Section(
        dataset=found.dataset,
        headline=headline(found),
        more=[*further_sentences(found), *_one_pretraining(found), *_not_converged(found)],
        curve=_curve(found),
        cost=_cost(found),
        costs=[_cost_line(row) for row in found.rows if row.budget == found.budgets[-1]],
        tables=[_table(found, budget) for budget in found.budgets],
        classes=list(_classes(shown)) if shown else [],
        class_arms=_names(shown),
        pictures=list(_pictures(shown)),
        facts=_facts(runs),
        notes=_notes(runs),
        looks=_looks(runs),
        alone=_alone(found.unpaired),
        again=[Again(arm.name, again(arm)) for arm in found.arms],
        method=list(_method(found)),
    )


def _notes(runs: Sequence[FinishedRun]) -> list[str]:
    """What was noticed in the data, each once."""
    said = (note for run in runs for note in run.metrics["protocol"]["notes"])
    return list(dict.fromkeys(said))


def _table(found: Verdict, budget: str) -> Table:
    rows = [row for row in found.rows if row.budget == budget]
    lead = found.leading[budget].name if budget in found.leading else ""
    lines = [_line(row, leads=row.arm.name == lead) for row in rows]
    return Table(budget, f"{np.mean([row.labels for row in rows]):,.0f} labels", lines)


def _line(row: Row, *, leads: bool) -> Line:
    low, high = shares(row.accuracy)
    return Line(
        rank="" if row.rank is None else str(row.rank),
        arm=_marked(row.arm),
        accuracy=percent(row.accuracy.difference),
        interval=f"{percent(low)} to {percent(high)}",
        difference=_difference(row),
        said=_said(row),
        runs=len(row.runs),
        leads=leads,
    )


def _cost_line(row: Row) -> Cost:
    speeds = [run.images_per_second for run in row.runs if run.images_per_second]
    return Cost(
        arm=_marked(row.arm),
        seconds=f"{np.mean([run.seconds for run in row.runs]):,.1f}",
        speed=f"{np.mean(speeds):,.0f}" if speeds else "",
        weights=f"{row.runs[0].weights:,}" if row.runs[0].weights else "",
        accuracy=percent(row.accuracy.difference),
    )


def _marked(arm: Arm) -> str:
    return f"{arm.name} (supervised prior)" if arm.supervised_prior else arm.name


def _said(row: Row) -> str:
    if row.against is None:
        return ""
    if row.against.comparison.pairs < FEWEST_DRAWS:
        return "too few runs to tell"
    word = row.against.claim.word
    # Only of the same network without pretraining can it be said that pretraining makes it so.
    return word if row.against.is_twin else _OF_OTHERS[word]


_OF_OTHERS = {
    "helps": "does better", "hurts": "does worse", "cannot be told apart": "cannot be told apart",
}  # fmt: skip


def _difference(row: Row) -> str:
    if row.against is None:
        return ""
    claim, mean = row.against.claim, row.against.comparison.difference
    return f"{_signed(mean)} ({_signed(claim.low)} to {_signed(claim.high)})"


def _curve(found: Verdict) -> Picture | None:
    curves = [
        Curve(
            arm.name,
            [row.labels for row in rows],
            [row.accuracy.difference for row in rows],
            [shares(row.accuracy)[0] for row in rows],
            [shares(row.accuracy)[1] for row in rows],
            arm.is_pretrained,
        )
        for arm in _important_first(found)
        if len(rows := sorted(_rows_of(found, arm), key=lambda row: row.labels)) > 1
    ]
    if not curves:
        return None
    even = break_even(found)
    ticks = sorted({label for curve in curves for label in curve.labels})
    title = "New images recognised, by number of labels; bands are 95 % intervals"
    if even is not None:
        title += f"; pretraining and the best alternative are level at about {even:,.0f} labels"
    return _drawn(lambda dark: label_curve(curves, break_even=even, ticks=ticks, dark=dark), title)


def break_even(found: Verdict) -> float | None:
    """Labels at which the best pretrained arm and the best control are as good, if they cross."""
    both = [budget for budget in found.budgets if budget in found.leading]
    points = [
        (found.row(found.leading[b].name, b), found.row(found.best_control[b].name, b))
        for b in both
        if b in found.best_control
    ]
    gaps = [ours.accuracy.difference - theirs.accuracy.difference for ours, theirs in points]
    places = np.log([ours.labels for ours, _ in points])
    for place in range(len(gaps) - 1):
        before, after = gaps[place], gaps[place + 1]
        if before * after < 0:
            share = before / (before - after)
            return float(np.exp(places[place] + share * (places[place + 1] - places[place])))
    return None


def _cost(found: Verdict) -> Picture | None:
    budget = found.budgets[-1]
    points = [
        Point(
            row.arm.name,
            max(0.01, float(np.mean([run.seconds for run in row.runs]))),
            row.accuracy.difference,
            *shares(row.accuracy),
            row.arm.is_pretrained,
        )
        for arm in _important_first(found)
        for row in found.rows
        if row.budget == budget and row.arm is arm
    ]
    if len(points) < 2:
        return None
    title = f"What it costs to train, and how good it is, with {budget}"
    return _drawn(lambda dark: cost_points(points, dark=dark), title)


def _drawn(figure: Callable[[bool], Figure], title: str) -> Picture:
    light, dark = (data_uri("svg+xml", render(figure(one))["svg"]) for one in (False, True))
    return Picture(light, dark, title)


def _important_first(found: Verdict) -> list[Arm]:
    """The arms that lead somewhere, pretrained ones before controls, then others, best first."""
    others = sorted(found.arms, key=lambda arm: (not arm.is_pretrained, -_mean(found, arm)))
    chosen = [*found.leading.values(), *found.best_control.values(), *others]
    return list({arm.name: arm for arm in chosen}.values())


def _mean(found: Verdict, arm: Arm) -> float:
    """Of its accuracies at all budgets."""
    return float(np.mean([row.accuracy.difference for row in _rows_of(found, arm)]))


def _rows_of(found: Verdict, arm: Arm) -> list[Row]:
    return [row for row in found.rows if row.arm is arm]


def _shown_arms(found: Verdict) -> list[Row]:
    """The arms whose answers are shown in detail: those that lead with the most labels."""
    for budget in reversed(found.budgets):
        sides = [side[budget] for side in (found.leading, found.best_control) if budget in side]
        if sides:
            return [found.row(arm.name, budget) for arm in sides]
    return []


def _names(shown: Sequence[Row]) -> tuple[str, str]:
    names = [f"{row.arm.name}, {row.budget}" for row in shown] + ["", ""]
    return names[0], names[1]


def _classes(shown: Sequence[Row]) -> Iterator[ClassLine]:
    classes = shown[0].runs[0].metrics["test"]["per_class"]
    for name in classes:
        cells = [_recall(row, name) for row in shown] + [""]
        yield ClassLine(name, cells[0], cells[1], f"{classes[name]['n']:,}")


def _recall(row: Row, name: str) -> str:
    """Mean over runs; the interval is that of one run's test images."""
    recalls = [run.metrics["test"]["per_class"].get(name, {}).get("recall") for run in row.runs]
    known = [recall for recall in recalls if recall is not None]
    if not known:
        return ""
    images = row.runs[0].metrics["test"]["per_class"][name]["n"]
    low, high = wilson_interval(float(np.mean(known)) * images, images)
    return f"{percent(float(np.mean(known)))} ({percent(low)} to {percent(high)})"


def _pictures(shown: Sequence[Row]) -> Iterator[Picture]:
    for row in shown:
        first = row.runs[0].metrics["test"]
        matrix = sum(np.array(run.metrics["test"]["confusion_matrix"]) for run in row.runs)
        figure = confusion_matrix(np.asarray(matrix), list(first["per_class"]), "test")
        title = f"{row.arm.name}, {row.budget}: which class is taken for which, all runs together"
        yield Picture(data_uri("png", render(figure)["png"]), "", title)
    arms = [row.arm for row in shown]
    for name, title in _PICTURES.items():
        for arm in arms:
            if content := _file_of(arm, name):
                yield Picture(data_uri("png", content), "", f"{title} ({arm.name})")


def _file_of(arm: Arm, name: str) -> bytes | None:
    """That figure of a run of the arm, if one has drawn it and it is not large."""
    for run in arm.runs.values():
        with suppress(OSError, ModelFileError, StorageError):
            return read_bytes(run.folder / "figures" / f"{name}.png", most=_LARGEST_PICTURE)
    return None


def _facts(runs: Sequence[FinishedRun]) -> dict[str, str]:
    first = runs[0]
    dataset, protocol = first.config["dataset"], first.metrics["protocol"]
    about: Mapping[str, Any] = dataset.get("about", {})
    environments = [run.environment for run in runs]
    return {
        "data set": dataset["name"],
        "licence": about.get("licence", ""),
        "source": about.get("source", ""),
        "citation": about.get("citation", ""),
        "hash of all images and labels": first.data_sha256,
        "images": _counts(protocol["images"]),
        "copies": _copies(protocol.get("leaks", {})),
        "the network saw": _each(run.metrics["protocol"]["encoder_saw"] for run in runs),
        "the head saw": _each(run.metrics["protocol"].get("head_saw", "") for run in runs),
        "supervised prior": _each(
            run.metrics["protocol"].get("supervised_prior", "") for run in runs
        ),
        "settings chosen on": _each(run.metrics["protocol"]["chosen_on"] for run in runs),
        "runs": f"{len(runs)}",
        "versions": _each(_versions(one) for one in environments),
        "commit": _each(str(one.get("git_commit")) for one in environments),
        "machine": _each(str(one.get("system", "")) for one in environments),
    }


def _counts(images: Mapping[str, int]) -> str:
    titles = {"pretrain": "for pretraining", "valid": "for validation", "test": "for the test",
              "left_out": "left out"}  # fmt: skip
    return ", ".join(f"{images[key]:,} {title}" for key, title in titles.items() if images.get(key))


def _copies(leaks: Mapping[str, Any]) -> str:
    if not leaks:
        return "not looked for"
    seen = leaks["seen_in_training"]
    return f"{leaks['copies']:,}; {seen['test']:,} test images are copies of training images"


def _versions(environment: Mapping[str, Any]) -> str:
    versions = environment.get("versions", {})
    names = ("ae-cls", "torch", "scikit-learn", "numpy")
    said = [f"{name} {versions[name]}" for name in names if name in versions]
    return ", ".join([*said, f"Python {environment.get('python', '?')}"])


def _each(texts: Iterator[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _looks(runs: Sequence[FinishedRun]) -> str:
    """How often the test part was read, as far as this machine, these runs or theirs know."""
    parts: dict[str, list[FinishedRun]] = {}
    for run in runs:
        parts.setdefault(run.test_sha256, []).append(run)
    count = max(_readers(part, own) for part, own in parts.items())
    if count < 2:
        return ""
    which = "This test part was" if len(parts) == 1 else "Of the test parts one was"
    return f"{which} read by {count:,} runs; the best of {count:,} looks better than it is."


def _readers(test_sha256: str, runs: Sequence[FinishedRun]) -> int:
    noted = [run.environment.get("test_read_by", 0) for run in runs]
    return max(ledger.readers(test_sha256), len(runs), *noted)


def _one_pretraining(found: Verdict) -> Iterator[str]:
    encoders = {
        run.metrics["encoder"]["weights_sha256"]
        for arm in found.arms
        if arm.is_pretrained and not arm.any_run.trains_encoder
        for run in arm.runs.values()
    }
    if len(encoders) == 1 and any(one.comparison.pairs > 1 for one in found.versus):
        yield "All runs share one pretrained network; another one, from seed=1, may do otherwise."


def _not_converged(found: Verdict) -> Iterator[str]:
    """Arms whose heads ended too early to be judged by, one sentence each."""
    for arm in found.arms:
        said = [head_warnings(run.metrics.get("head", {})) for run in arm.runs.values()]
        if early := [why for why, *_ in filter(None, said)]:
            yield f"{arm.name}: in {len(early)} of {len(said)} runs {early[0]}."


def _method(found: Verdict) -> Iterator[str]:
    pairs = sorted({one.comparison.pairs for one in found.versus})
    said = " or ".join(map(str, pairs)) or "no"
    yield (
        f"Compared are runs on the same test images, labels and seed ({said} draws of labels); a "
        "difference is the mean over draws and images."
    )
    yield (
        "Its interval is over draws and test images, each with its own quantile of Student's t "
        "(Banerjee 1960), so that few draws make it long; copies of an image count once. Test "
        "parts that differ from run to run are splits of one set: then the variance is corrected "
        "for their overlap (Nadeau and Bengio 2003)."
    )
    yield (
        "That an arm is better than all of the other side is said where each of its comparisons "
        "leaves out 0 at a level that is adjusted for the arms and budgets asked about, not for "
        "the number of rivals (Berger 1982). Each pair of the table is then said to differ; any "
        f"other pair where its interval leaves out 0 after adjusting for all {len(found.versus)} "
        "comparisons (Holm 1979). Nothing is said of fewer than three draws. The interval of a "
        "difference in the table is the adjusted one, that of an accuracy is not."
    )
    yield "Arms share a rank where they cannot be told apart."
    yield from _tests_of_pairs(found)


def _tests_of_pairs(found: Verdict) -> Iterator[str]:
    for one in found.versus:
        if one.comparison.flips_p is not None:
            test = f"sign-flip p {one.comparison.flips_p:.3g}, smallest possible " \
                   f"{2 / 2**one.comparison.pairs:.3g}"  # fmt: skip
        elif one.comparison.pairs == 1:
            test = f"exact McNemar p {one.comparison.p:.3g} of this one pair"
        else:
            continue
        yield (
            f"{one.budget}: {one.pretrained} minus {one.control}: "
            f"{_signed(one.comparison.difference)} points, adjusted p {one.claim.p:.3g}, {test}"
        )


def _alone(runs: Sequence[Unreadable]) -> list[Alone]:
    return [Alone(str(run.folder), run.why) for run in runs]


def shares(accuracy: Comparison) -> tuple[float, float]:
    """The 95 % interval of an accuracy, within [0, 1]."""
    return max(0.0, accuracy.low), min(1.0, accuracy.high)


def percent(share: float) -> str:
    """Of an accuracy in [0, 1]."""
    return f"{100 * share:.1f}"


def _signed(difference: float) -> str:
    """Points of a difference, never a negative nought."""
    return f"{round(100 * difference, 1) + 0.0:+.1f}"


def written_in(folder: Path) -> dict[str, Path]:
    """Where a report's files are."""
    names = {"html": REPORT_PAGE, "markdown": "report.md", "results": RESULTS, "times": TIMES}
    return {kind: folder / name for kind, name in names.items()}
