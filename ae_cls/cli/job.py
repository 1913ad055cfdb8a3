"""What Hydra calls for each job: at module level and without state, as launchers pickle it."""

import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from ae_cls.cli.compose import plain_values
from ae_cls.cli.exits import end_on_sigterm, guarded
from ae_cls.cli.sweep_job import run_in_sweep
from ae_cls.cli.terminal import log_to_stderr, show_result


def job(config: DictConfig) -> None:
    """Carry out one config: alone, ending the process; in a sweep, with a record of how it went."""
    hydra = HydraConfig.get()
    command = str(hydra.job.config_name)
    log_to_stderr()
    if hydra.mode == RunMode.MULTIRUN:
        run_in_sweep(command, config, Path(hydra.sweep.dir))
    else:
        end_on_sigterm()
        # Hydra would add its own words to an exception.
        sys.exit(guarded(lambda: _run_alone(command, config)))


def _run_alone(command: str, config: DictConfig) -> int:
    from ae_cls import experiment, runner  # here, as they import torch

    described = experiment.read(experiment.COMMANDS[command], plain_values(config, command))
    show_result(runner.COMMANDS[command](described))
    return 0
