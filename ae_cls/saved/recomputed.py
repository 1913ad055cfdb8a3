"""The numbers of a run once more, from the answers in its predictions.csv."""

import csv
import math
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np

from ae_cls.evaluate.metrics import MEASURE_NAMES, SMALLEST_PROBABILITY, measured
from ae_cls.saved.metrics import METRICS, read_metrics
from ae_cls.saved.names import PREDICTIONS
from ae_cls.store.cells import cell, probability_columns
from ae_cls.store.received import opened

_CLOSE = 1e-6  # of a mean of logarithms of numbers with nine digits


def disagreements(run: Path) -> dict[str, str]:
    """Numbers in metrics.json that do not follow from predictions.csv, and what does.

    Empty where all agree, and for a run that has not read its test part.

    Raises:
        ModelFileError: metrics.json is damaged.
        OSError: a file cannot be read.
    """
    test = read_metrics(run).get("test")
    if test is None or not (run / PREDICTIONS).is_file():
        return {}
    try:
        return dict(_differences(test, run / PREDICTIONS))
    except (ValueError, KeyError, IndexError, TypeError, StopIteration) as error:
        return {PREDICTIONS: f"it does not fit {METRICS}: {type(error).__name__}: {error}"}


def _differences(test: dict[str, Any], path: Path) -> Iterator[tuple[str, str]]:
    confusion, log_loss = _counted(path, tuple(test["per_class"]))
    if confusion.tolist() != test["confusion_matrix"]:
        yield "confusion_matrix", f"{PREDICTIONS} gives another one"
    now = {name: measured(name, confusion) for name in MEASURE_NAMES} | {"log_loss": log_loss}
    now |= {"n": float(confusion.sum())}
    for name, value in now.items():
        if not math.isclose(value, test[name], rel_tol=_CLOSE, abs_tol=_CLOSE):
            yield name, f"{test[name]}, but {PREDICTIONS} gives {value:.9g}"


def _counted(path: Path, class_names: tuple[str, ...]) -> tuple[np.ndarray, float]:
    """The confusion matrix and the log loss, row by row: the table may be larger than memory."""
    place = {cell(name): number for number, name in enumerate(class_names)}
    confusion, losses = np.zeros((len(place), len(place)), np.int64), list[float]()
    with opened(path) as file, TextIOWrapper(file, encoding="utf-8", newline="") as text:
        rows = csv.reader(text)
        columns = next(rows)
        label, predicted = columns.index("label"), columns.index("predicted")
        first = columns.index(probability_columns(class_names)[0])
        for row in rows:
            truth = place[row[label]]
            confusion[truth, place[row[predicted]]] += 1
            losses.append(math.log(max(float(row[first + truth]), SMALLEST_PROBABILITY)))
    return confusion, -math.fsum(losses) / len(losses)
