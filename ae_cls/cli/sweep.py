"""A sweep: all jobs are checked before the first starts, and told of in a table at the end."""

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ae_cls.cli.compose import hand_to_hydra, launcher_settings, plain_values
from ae_cls.cli.exits import IN_PART
from ae_cls.cli.flags import Words
from ae_cls.cli.job import job
from ae_cls.cli.job_process import import_ahead, run_in_sweep
from ae_cls.cli.launcher import (
    conditions,
    cores,
    extra_words,
    is_basic,
    is_of_launcher,
    refuse_missing_plugin,
)
from ae_cls.cli.sweep_check import checked
from ae_cls.cli.sweep_launch import launch
from ae_cls.cli.sweep_owner import owned
from ae_cls.cli.sweep_record import Conditions, Planned, Record, table_at_the_end
from ae_cls.cli.words import hydra_words
from ae_cls.errors import StorageError, UsageError
from ae_cls.experiment.common import HOW, WHERE
from ae_cls.report.terminal import log_to_stderr

_LOG = logging.getLogger(__name__)
_LONGEST_NAME = 120  # characters, of the 255 that file systems take
_SHOWN = 3


@final
@dataclass(frozen=True)
class Job:
    """A job that can be carried out.

    Attributes:
        words: its own, without those that all jobs share.
        plain: the composed config.
        digest: the same for equal jobs.
    """

    words: tuple[str, ...]
    plain: dict[str, Any]
    digest: str


def sweep(command: str, words: Words) -> int:
    """Run all jobs; 0 when all have finished, 8 when some have not.

    Raises:
        UsageError: a word of any job is wrong; nothing has been written then.
        BusyError: another process runs this sweep.
    """
    log_to_stderr()
    overrides = hydra_words(words)
    launcher = _launcher(command, words, overrides)
    import_ahead()
    jobs = validated(command, _composed(command, words.flag_words(), overrides))
    folder = _folder(command, overrides, jobs)
    plan, kinds = _plan(command, jobs), conditions(launcher, len(jobs))
    _LOG.info("%s in %s", _counted(len(plan), "job"), folder)
    _say_how(kinds)

    def hand_over() -> None:
        if is_basic(launcher):  # Hydra would compose each job twice more, at 0.1 s a time
            for each in jobs:
                run_in_sweep(command, each.plain, folder)
        else:
            more = [*extra_words(launcher, overrides), f"hydra.sweep.dir={quoted(folder)}"]
            hand_to_hydra(command, [*words.flag_words(), *overrides, *more], job)

    with owned(folder), table_at_the_end(folder, command, plan, kinds) as records:
        launch(hand_over, folder)
    return code_of(records)


def code_of(records: Sequence[Record]) -> int:
    """The exit code of a sweep that ended so."""
    if any(record.code == StorageError.code for record in records):
        return StorageError.code
    return 0 if all(record.is_done for record in records) else IN_PART


def name_of(words: tuple[str, ...], digest: str) -> str:
    """A folder's name that a person can retype: the job's own words, then a hash of its config.

    Sorted, so that the words in another order find the same folder.
    """
    safe = re.sub(r"[^\w.,-]+", "-", "_".join(sorted(words)), flags=re.ASCII).strip("-.")
    return f"{safe[:_LONGEST_NAME]}-{digest}"


def _launcher(command: str, words: Words, overrides: list[str]) -> dict[str, Any]:
    """The launcher's settings; what is wrong with them is told before anything is written."""
    told = [word for word in overrides if is_of_launcher(word)]
    refuse_missing_plugin(told)
    return launcher_settings(command, told, words.config_folders[1:])


def _plan(command: str, jobs: Sequence[Job]) -> list[Planned]:
    """Equal jobs once, with a note of their other words."""
    equal: dict[str, list[Planned]] = {}
    for each in jobs:
        planned = Planned(each.words, name_of(each.words or (command,), each.digest))
        equal.setdefault(each.digest, []).append(planned)
    return [_noted(alike) for alike in equal.values()]


def _noted(alike: list[Planned]) -> Planned:
    first, *others = alike
    if not others:
        return first
    same = ", ".join(" ".join(each.words) for each in others)
    return replace(first, note=f"done once, as it is the same as {same}")


def _say_how(kinds: Conditions) -> None:
    if kinds.threads is not None:
        share = _counted(kinds.threads, "thread")
        _LOG.info("jobs run side by side, each on %s of %d unless told threads=", share, cores())


def _composed(
    command: str, flags: list[str], overrides: list[str]
) -> list[tuple[tuple[str, ...], DictConfig]]:
    """The jobs as Hydra's own sweeper makes them, launched here and only kept.

    Each with its words, without those that all jobs share.
    """
    found: list[tuple[list[str], DictConfig]] = []

    def keep(config: DictConfig) -> None:
        found.append(([str(word) for word in HydraConfig.get().overrides.task], config))

    own = [word for word in overrides if not is_of_launcher(word)]
    # Hydra makes a folder before it calls the first job; this one goes away again.
    with TemporaryDirectory() as place:
        aside = ["hydra/launcher=basic", f"hydra.sweep.dir={quoted(Path(place))}"]
        hand_to_hydra(command, [*flags, *own, *aside], keep)
    shared = set.intersection(*(set(words) for words, _ in found))
    return [
        (tuple(word.lstrip("+") for word in words if word not in shared), config)
        for words, config in found
    ]


def validated(command: str, jobs: list[tuple[tuple[str, ...], DictConfig]]) -> list[Job]:
    """Each job of these words and configs, as it can be carried out.

    Raises:
        UsageError: all mistakes of all jobs.
    """
    mistakes: dict[str, list[str]] = {}
    whole: list[tuple[tuple[str, ...], dict[str, Any]]] = []
    for words, config in jobs:
        try:
            whole.append((words, plain_values(config, command)))
        except UsageError as error:
            mistakes.setdefault(error.where or error.what, []).append(" ".join(words))
    found = checked(command, [plain for _, plain in whole])
    for (words, _), each in zip(whole, found, strict=True):
        if each.mistake:
            mistakes.setdefault(each.mistake, []).append(" ".join(words))
    if mistakes:
        raise _mistakes_in(mistakes, len(jobs), command)
    return [
        Job(words, plain, each.digest) for (words, plain), each in zip(whole, found, strict=True)
    ]


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


def _folder(command: str, overrides: list[str], jobs: Sequence[Job]) -> Path:
    """The same words find the same folder again; how the jobs are launched does not matter."""
    if any(each.plain["folder"] for each in jobs):
        raise UsageError(
            "folder names one run; a sweep names the folders of its jobs", where="folder"
        )
    told = sorted(word for word in overrides if _is_told_to_jobs(word))
    name = hashlib.sha256("\n".join([command, *told]).encode()).hexdigest()[:8]
    return Path(jobs[0].plain["outputs"]) / "run" / f"sweep-{name}"


def _is_told_to_jobs(word: str) -> bool:
    key = word.lstrip("+").partition("=")[0]
    return key not in {*WHERE, *HOW} and not key.startswith(("hydra.", "hydra/"))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def quoted(folder: Path) -> str:
    """A path as a value in a word."""
    text = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
