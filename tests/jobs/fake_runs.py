"""Runs of no time, whose seeds say how they end, in processes forked from the test's own."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from ae_cls.errors import DataError, StorageError
from ae_cls.experiment.common import CommonKeys
from ae_cls.run import run as runner
from ae_cls.run.folder import run_folder
from ae_cls.store.files import write_json


def carry_out(described: CommonKeys) -> runner.Result:
    """A run of no time; seeds say how it ends."""
    with run_folder(described, {"command": "run"}) as folder:
        ENDS.get(described.seed, lambda: None)()
        metrics = {"test": {"accuracy": 0.5, "accuracy_ci95": [0.4, 0.6]}}
        write_json(folder.path / "environment.json", {"seconds": {"pretrain": 1.25, "encode": 0.5}})
        write_json(folder.path / "metrics.json", metrics)
    return runner.Result(folder.path, metrics, {})


def bring(error: Exception) -> Callable[[], None]:
    def end() -> None:
        raise error

    return end


def signal_the_sweep(number: int) -> Callable[[], None]:
    def end() -> None:
        os.kill(os.getppid(), number)
        time.sleep(60)

    return end


ENDS: dict[int, Callable[[], object]] = {
    1: bring(DataError("no luck with seed 1")),
    2: bring(ZeroDivisionError("a bug")),
    3: signal_the_sweep(signal.SIGINT),
    4: bring(StorageError("the disk is full")),
    5: signal_the_sweep(signal.SIGTERM),
    11: os.abort,
    12: lambda: signal.raise_signal(signal.SIGSEGV),
    13: lambda: os._exit(0),
    14: lambda: signal.raise_signal(signal.SIGKILL),
}


class Started:
    """The seeds that the runner was given, in their order; it does next to nothing.

    Jobs are forked from this process, so that they find the runner as it is here.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.log.touch()

    def run(self, described: CommonKeys) -> runner.Result:
        with self.log.open("a") as file:
            file.write(f"{described.seed}\n")
        return carry_out(described)

    def seeds(self) -> list[int]:
        """Since the last time."""
        found = [int(line) for line in self.log.read_text().split()]
        self.log.write_text("")
        return found
