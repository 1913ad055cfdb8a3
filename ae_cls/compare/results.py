"""`results.csv` and `times.csv` of a report: a line a run, for pandas or a spreadsheet."""

from collections.abc import Mapping, Sequence
from typing import Any

from ae_cls.compare.arms import Words
from ae_cls.compare.runs import FinishedRun
from ae_cls.compare.verdict import Verdict
from ae_cls.experiment.again import unsaid
from ae_cls.store.cells import cell, csv_bytes, number_cell, path_cell

_MEASURES = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece")


def results_csv(verdicts: Sequence[Verdict], words: Words) -> bytes:
    """Arm, every key that differs between runs, measures, folder; the same for the same runs."""
    runs = [
        (arm.name, run, run.folder not in {one.folder for one in found.unpaired})
        for found in verdicts
        for arm in found.arms
        for run in arm.runs.values()
    ]
    keys = _differing([run for _, run, _ in runs], words)
    measured = [f"{part}_{name}" for part in ("test", "valid") for name in _MEASURES]
    rows: list[list[str | int]] = [
        ["arm", *map(cell, keys), "labels", "accuracy_low", "accuracy_high", *measured, "weights",
         "paired", "data_sha256", "test_sha256", "folder"]
    ]  # fmt: skip
    for arm, run, is_paired in sorted(runs, key=lambda one: str(one[1].folder)):
        low, high = run.metrics["test"]["accuracy_ci95"]
        rows.append([
            cell(arm), *(cell(keys[key][str(run.folder)]) for key in keys), run.labels, repr(low),
            repr(high), *_scores(run.metrics), run.weights, "yes" if is_paired else "no",
            run.data_sha256, run.test_sha256, path_cell(run.folder),
        ])  # fmt: skip
    return csv_bytes(rows)


def times_csv(verdicts: Sequence[Verdict]) -> bytes:
    """How long each run took, which is never the same twice."""
    runs = {
        run.folder: run for found in verdicts for arm in found.arms for run in arm.runs.values()
    }
    rows: list[list[str | int]] = [["folder", "seconds", "images_per_second"]]
    for folder, run in sorted(runs.items(), key=lambda one: str(one[0])):
        pace = "" if run.images_per_second is None else f"{run.images_per_second:.0f}"
        rows.append([path_cell(folder), f"{run.seconds:.3f}", pace])
    return csv_bytes(rows)


def _scores(metrics: Mapping[str, Any]) -> list[str]:
    values = (metrics.get(part, {}).get(name) for part in ("test", "valid") for name in _MEASURES)
    return [*map(number_cell, values)]


def _differing(runs: Sequence[FinishedRun], words: Words) -> dict[str, dict[str, str]]:
    """The values of each key that is not the same in all runs, by run folder."""
    said = {str(run.folder): dict(word.split("=", 1) for word in words(run.config)) for run in runs}
    keys = dict.fromkeys(key for one in said.values() for key in one)
    columns: dict[str, dict[str, str]] = {}
    for key in keys:
        column = {
            str(run.folder): said[str(run.folder)].get(key) or unsaid(key, run.config)
            for run in runs
        }
        if len(set(column.values())) > 1:
            columns[key] = column
    return columns
