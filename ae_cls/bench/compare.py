"""`ae-cls bench`: every contender in turn, several times, in one run on one machine."""

import logging
import os
import statistics
from typing import Any

from ae_cls.bench.child import measured
from ae_cls.bench.contenders import CONTENDERS, RACERS, Contender
from ae_cls.experiment.benchmark import Benchmark
from ae_cls.run.data import prepare
from ae_cls.run.environment import environment
from ae_cls.run.folder import run_folder
from ae_cls.run.run import Result
from ae_cls.run.stopwatch import Stopwatch
from ae_cls.store.files import write_json
from ae_cls.terminal.progress import progressing

log = logging.getLogger(__name__)


def bench(benchmark: Benchmark) -> Result:
    """Time all contenders; the metrics are what bench.json holds.

    Raises:
        UsageError: the images do not fit a network.
        DataError: the data set is missing.
        TrainingError: a measurement failed.
    """
    compute = [prepare(contender.pretraining(benchmark)).compute for contender in CONTENDERS][-1]
    with run_folder(benchmark, {"command": "bench"}) as begun:
        folder, stopwatch = begun.path, Stopwatch(begun.enter)
        before = os.getloadavg()[0]
        with stopwatch.stage("speed"):
            speeds = _speeds(benchmark)
        with stopwatch.stage("race"):
            racers = _race(benchmark)
        rows = [_row(benchmark, contender, speeds[contender]) for contender in CONTENDERS]
        for row in rows:
            row["ratio"] = row["images_per_second"] / rows[0]["images_per_second"]
        results = {
            "load_before": before, "contenders": rows, "until": benchmark.until, "race": racers,
        }  # fmt: skip
        write_json(folder / "bench.json", results)
        write_json(folder / "environment.json", environment(compute, stopwatch.seconds))
    return Result(folder, results, dict(stopwatch.seconds))


def _speeds(benchmark: Benchmark) -> dict[Contender, list[dict[str, Any]]]:
    """In turn, so that what else the machine does hits all alike."""
    speeds: dict[Contender, list[dict[str, Any]]] = {contender: [] for contender in CONTENDERS}
    turns = [contender for _ in range(benchmark.repeats) for contender in CONTENDERS]
    for contender in progressing(turns, "bench", total=len(turns), unit="runs"):
        speeds[contender].append(measured(benchmark, contender, "speed"))
        rate = speeds[contender][-1]["images_per_second"]
        log.info("%s: %.0f images/s", contender.title(benchmark), rate)
    return speeds


def _race(benchmark: Benchmark) -> list[dict[str, Any]]:
    """One after the other; nobody where there is nothing to reach."""
    if benchmark.until is None:
        return []
    turns = progressing(RACERS, "race", total=len(RACERS), unit="runs")
    return [
        {
            "contender": contender.title(benchmark),
            **reached(measured(benchmark, contender, "race"), benchmark.until),
        }
        for contender in turns
    ]


def reached(rows: list[dict[str, Any]], until: float) -> dict[str, Any]:
    """Seconds to the first epoch that was good enough, None where none was; and the best one."""
    seconds = min((row["seconds"] for row in rows if row["valid_accuracy"] >= until), default=None)
    best = max(rows, key=lambda row: row["valid_accuracy"])
    return {
        "seconds_until": seconds, "best_accuracy": best["valid_accuracy"],
        "seconds_in_all": rows[-1]["seconds"], "epochs": rows,
    }  # fmt: skip


def _row(
    benchmark: Benchmark, contender: Contender, speeds: list[dict[str, Any]]
) -> dict[str, Any]:
    rates = [speed["images_per_second"] for speed in speeds]
    middle = {
        name: statistics.median(speed[name] for speed in speeds)
        for name in ("images_per_second", "flop_per_image", "matrix_flop_per_second")
    }
    used = middle["images_per_second"] * middle["flop_per_image"]
    return {
        "contender": contender.title(benchmark),
        **middle,
        "all_images_per_second": rates,
        "share_of_matrix_rate": used / middle["matrix_flop_per_second"],
        "peak_memory_mib": max(speed["peak_memory_mib"] for speed in speeds),
        "peak_device_memory_mib": speeds[0]["peak_device_memory_mib"],
        "precision": speeds[0]["precision"],
    }
