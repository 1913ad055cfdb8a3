"""What each command does."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ae_cls.bench.compare import bench
from ae_cls.check.check import Checked, check
from ae_cls.errors import StorageError, printable
from ae_cls.experiment.benchmark import Benchmark
from ae_cls.experiment.check import Check
from ae_cls.experiment.common import CommonKeys
from ae_cls.processes.alone import refuse_several_processes
from ae_cls.run.others import is_another
from ae_cls.run.run import Result, classify, pretrain, run
from ae_cls.store.space import refuse_unwritable

COMMANDS: dict[str, Callable[[Any], Any]] = {
    "run": run, "pretrain": pretrain, "classify": classify, "check": check, "bench": bench,
}  # fmt: skip
"""Word on the command line: what carries out its description."""


def carry_out(command: str, described: CommonKeys) -> Result | Checked | None:
    """What a command leaves behind; None in a process of several that is not the first.

    Raises:
        UsageError: several processes were launched for what one does.
        StorageError: nothing can be written where the results are to be.
    """
    if isinstance(described, Benchmark | Check):
        refuse_several_processes(command)
    refuse_unwritable(Path(described.folder or described.outputs))
    return None if is_another(described) else COMMANDS[command](described)


def print_result(command: str, result: Result | Checked) -> int:
    """Print the table that ends a command, on standard output; the exit code."""
    from ae_cls.report.bench_table import bench_table  # here, as jobs of a sweep print none
    from ae_cls.report.table import print_table, summary_table

    if isinstance(result, Checked):
        from ae_cls.check.terminal import terminal_page

        print_table(terminal_page(result.found, result.page))
        return result.exit_code
    if command == "bench":
        print_table(bench_table(result.metrics, result.seconds, result.folder))
    else:
        print_table(
            summary_table(
                result.metrics,
                result.seconds,
                result.folder,
                result.kept,
                result.test_read_by,
                result.test_reads,
            )
        )
    if result.hint:
        print(printable(result.hint), file=sys.stderr)
    if result.log_failure:
        print(f"warning: run.log is incomplete: {result.log_failure}", file=sys.stderr)
        return StorageError.code
    return 0
