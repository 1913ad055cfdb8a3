"""Hydra's launchers: which plug-in each needs, and what it means for the jobs."""

import importlib.metadata
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ae_cls.cli.sweep_record import Conditions
from ae_cls.errors import UsageError
from ae_cls.store.lock import this_process

_CHOICE = "hydra/launcher="
_PLUGINS = {
    "joblib": "hydra-joblib-launcher>=1.2",
    "submitit_local": "hydra-submitit-launcher>=1.2",
    "submitit_slurm": "hydra-submitit-launcher>=1.2",
}


def is_of_launcher(word: str) -> bool:
    """Whether a word is about how jobs are launched, not about what they do."""
    return word.lstrip("+").startswith(("hydra/launcher", "hydra.launcher"))


def refuse_missing_plugin(words: Sequence[str]) -> None:
    """Stop where the launcher chosen is in a package that is not installed.

    Raises:
        UsageError: with the line that installs it.
    """
    for word in words:
        package = _PLUGINS.get(word.lstrip("+").removeprefix(_CHOICE), "")
        if word.lstrip("+").startswith(_CHOICE) and package and not _is_installed(package):
            raise UsageError(
                f"{package.partition('>')[0]} is not installed", where=word,
                fix=f'pip install "{package}"',
            )  # fmt: skip


def is_basic(settings: Mapping[str, Any]) -> bool:
    """Whether jobs run one after another in the process that asks."""
    return str(settings["_target_"]).endswith(".BasicLauncher")


def extra_words(settings: Mapping[str, Any], words: Sequence[str]) -> list[str]:
    """What the launcher has to be told besides."""
    # joblib hands out several jobs at once after short ones, such as those finished before, and the
    # long ones among them would then wait for each other.
    told = any(word.lstrip("+").startswith("hydra.launcher.batch_size") for word in words)
    return ["hydra.launcher.batch_size=1"] if _kind(settings) == "joblib" and not told else []


def conditions(settings: Mapping[str, Any], jobs: int) -> Conditions:
    """What the composed launcher means for each of so many jobs."""
    match _kind(settings):
        case "joblib":
            return _side_by_side(min(workers_of(settings["n_jobs"]), jobs))
        case "submitit_local":  # which starts all at once
            return _side_by_side(jobs)
        case _:
            return Conditions()


def workers_of(n_jobs: int | None) -> int:
    """Worker processes as joblib counts them: -1 is one a core, -2 one fewer."""
    if n_jobs is None:
        return 1
    return n_jobs if n_jobs > 0 else max(cores() + 1 + n_jobs, 1)


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _side_by_side(workers: int) -> Conditions:
    if workers == 1:
        return Conditions(owner=this_process())
    return Conditions(threads=max(cores() // workers, 1), quiet=True, owner=this_process())


def _kind(settings: Mapping[str, Any]) -> str:
    words = {
        "JoblibLauncher": "joblib",
        "LocalLauncher": "submitit_local",
        "SlurmLauncher": "submitit_slurm",
    }
    return words.get(str(settings["_target_"]).rpartition(".")[2], "")


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package.partition(">")[0])
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
