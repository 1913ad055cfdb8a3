"""What Hydra calls for each job: at module level and without state, as launchers pickle it."""

import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from ae_cls.cli.compose import plain_values
from ae_cls.cli.exits import guarded
from ae_cls.cli.job_process import run_in_sweep
from ae_cls.report.terminal import log_to_stderr
from ae_cls.errors import UsageError
from ae_cls.interrupt import end_on_signals


def job(config: DictConfig) -> None:
    """Carry out one config: alone, ending the process; in a sweep, with a record of how it went."""
    hydra = HydraConfig.get()
    command = str(hydra.job.config_name)
    log_to_stderr()
    if hydra.mode == RunMode.MULTIRUN:
        run_in_sweep(command, plain_values(config, command), Path(hydra.sweep.dir))
    else:
        end_on_signals()
        # Hydra would add its own words to an exception.
        sys.exit(guarded(lambda: _run_alone(command, config)))


def explain_job(config: DictConfig) -> None:
    """Say what of a config is kept from earlier runs, and end the process."""
    command = str(HydraConfig.get().job.config_name)
    log_to_stderr()
    sys.exit(guarded(lambda: _explain(command, config)))


def _explain(command: str, config: DictConfig) -> int:
    from ae_cls.experiment.benchmark import Benchmark  # here and below, as torch takes seconds
    from ae_cls.experiment.descriptions import COMMANDS
    from ae_cls.experiment.read import read
    from ae_cls.run.explain import explain, lines

    described = read(COMMANDS[command], plain_values(config, command))
    if isinstance(described, Benchmark):
        raise UsageError("bench keeps nothing, so there is nothing to explain")
    print("\n".join(lines(explain(described))))
    return 0


def _run_alone(command: str, config: DictConfig) -> int:
    from ae_cls.experiment.descriptions import COMMANDS
    from ae_cls.experiment.read import read
    from ae_cls.jobs.commands import carry_out
    from ae_cls.report.bench_table import bench_table
    from ae_cls.report.table import print_table, summary_table

    result = carry_out(command, read(COMMANDS[command], plain_values(config, command)))
    if result is None:
        return 0
    if command == "bench":
        print_table(bench_table(result.metrics, result.seconds, result.folder))
    else:
        print_table(summary_table(result.metrics, result.seconds, result.folder, result.kept))
    return 0
