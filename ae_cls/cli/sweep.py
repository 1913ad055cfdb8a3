"""A sweep: all jobs are checked before the first starts, and told of in a table at the end."""

import hashlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ae_cls import experiment
from ae_cls.cli.compose import hand_to_hydra, plain_values
from ae_cls.cli.exits import IN_PART
from ae_cls.cli.flags import Words
from ae_cls.cli.job import job
from ae_cls.cli.sweep_job import digest
from ae_cls.cli.sweep_record import Planned, table_at_the_end
from ae_cls.cli.terminal import log_to_stderr
from ae_cls.cli.words import hydra_words
from ae_cls.errors import UsageError
from ae_cls.experiment import Described
from ae_cls.interrupt import end_on_signals
from ae_cls.processes.launch import launched

_LOG = logging.getLogger(__name__)
_LONGEST_NAME = 120  # characters, of the 255 that file systems take
_SHOWN = 3


@final
@dataclass(frozen=True)
class Composed:
    """A job as Hydra composes it, and its words without those that all jobs share."""

    words: tuple[str, ...]
    config: DictConfig


def sweep(command: str, words: Words) -> int:
    """Run all jobs; 0 when all have finished, 8 when some have not.

    Raises:
        UsageError: a word of any job is wrong; nothing has been written then.
    """
    if launched(os.environ):
        raise UsageError(
            "a sweep is for one process, which starts others for each job",
            where="RANK, WORLD_SIZE",
            fix=f"ae-cls {command} -m devices=N, without torchrun or srun",
        )
    log_to_stderr()
    end_on_signals()
    overrides = hydra_words(words)
    flags = words.flag_words()
    jobs = _validated(command, _composed(command, flags, overrides))
    folder = _folder(command, overrides, jobs)
    plan = [Planned(each.words, name_of(each.words or (command,), found)) for each, found in jobs]
    _LOG.info("%d jobs in %s", len(plan), folder)
    with table_at_the_end(folder, command, plan) as records:
        hand_to_hydra(command, [*flags, *overrides, f"hydra.sweep.dir={_quoted(folder)}"], job)
    return 0 if all(record.is_done for record in records) else IN_PART


def name_of(words: tuple[str, ...], described: Described) -> str:
    """A folder's name that a person can retype: the job's own words, then a hash of its config.

    Sorted, so that the words in another order find the same folder.
    """
    safe = re.sub(r"[^\w.,-]+", "-", "_".join(sorted(words)), flags=re.ASCII).strip("-.")
    return f"{safe[:_LONGEST_NAME]}-{digest(described)}"


def _composed(command: str, flags: list[str], overrides: list[str]) -> list[Composed]:
    """The jobs as Hydra's own sweeper makes them, launched here and only kept."""
    found: list[tuple[list[str], DictConfig]] = []

    def keep(config: DictConfig) -> None:
        found.append(([str(word) for word in HydraConfig.get().overrides.task], config))

    own = [word for word in overrides if not re.match(r"\+*hydra[/.]launcher", word)]
    # Hydra makes a folder before it calls the first job; this one goes away again.
    with TemporaryDirectory() as place:
        aside = ["hydra/launcher=basic", f"hydra.sweep.dir={_quoted(Path(place))}"]
        hand_to_hydra(command, [*flags, *own, *aside], keep)
    shared = set.intersection(*(set(words) for words, _ in found))
    return [
        Composed(tuple(word.lstrip("+") for word in words if word not in shared), config)
        for words, config in found
    ]


def _validated(command: str, jobs: list[Composed]) -> list[tuple[Composed, Described]]:
    good: list[tuple[Composed, Described]] = []
    mistakes: dict[str, list[str]] = {}
    for each in jobs:
        try:
            plain = plain_values(each.config, command)
            good.append((each, experiment.read(experiment.COMMANDS[command], plain)))
        except UsageError as error:
            mistakes.setdefault(error.where or error.what, []).append(" ".join(each.words))
    if mistakes:
        raise _mistakes_in(mistakes, len(jobs), command)
    return good


def _mistakes_in(mistakes: dict[str, list[str]], count: int, command: str) -> UsageError:
    """Each mistake once, with the jobs that have it."""
    wrong = sum(len(words) for words in mistakes.values())
    lines = [
        text if len(words) == count else f"{text}\n  in {_some(words)}"
        for text, words in mistakes.items()
    ]
    return UsageError(
        f"mistakes in {wrong} of {count} jobs; none was started", where="\n".join(lines),
        fix=f"ae-cls {command} --help",
    )  # fmt: skip


def _some(words: list[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return "; ".join(words[:_SHOWN]) + more


def _folder(command: str, overrides: list[str], jobs: list[tuple[Composed, Described]]) -> Path:
    """The same words find the same folder again; how the jobs are launched does not matter."""
    described = [each for _, each in jobs]
    if any(each.folder for each in described):
        raise UsageError(
            "folder names one run; a sweep names the folders of its jobs", where="folder"
        )
    told = sorted(word for word in overrides if not word.startswith(("hydra.", "hydra/")))
    name = hashlib.sha256("\n".join([command, *told]).encode()).hexdigest()[:8]
    return Path(described[0].outputs) / "run" / f"sweep-{name}"


def _quoted(folder: Path) -> str:
    text = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
