"""The jobs of a search as Hydra composes and launches them."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks  # Hydra's launchers ask for it
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from pydantic import ValidationError

from ae_cls.cli.compose import VERSION_BASE, complaints_as_ours
from ae_cls.cli.flags import Words
from ae_cls.cli.job import job
from ae_cls.cli.job_process import run_in_sweep
from ae_cls.cli.launcher import conditions, extra_words, is_basic, refuse_missing_plugin
from ae_cls.cli.search_settings import SearchSettings
from ae_cls.cli.search_space import Space, space_of
from ae_cls.cli.sweep import Job, quoted, validated
from ae_cls.cli.sweep_launch import launch
from ae_cls.cli.sweep_record import Conditions
from ae_cls.cli.words import hydra_words
from ae_cls.errors import UsageError
from ae_cls.experiment import configs

Launch = Callable[[Sequence[Job]], None]
"""Carries out trials; each leaves its record."""

_OWN = "hydra.sweeper."


@final
@dataclass(frozen=True)
class Jobs:
    """Composes and launches the jobs of one search.

    Attributes:
        command: a word that Hydra composes.
        loader: of Hydra.
        space: what is searched.
        settings: how it is searched.
        hydra: words that are meant for Hydra itself.
        shared: what its words and those that all trials share compose to.
        launcher: what of that is the launcher's.
    """

    command: str
    loader: ConfigLoader
    space: Space
    settings: SearchSettings
    hydra: tuple[str, ...]
    shared: DictConfig
    launcher: dict[str, Any]

    @property
    def conditions(self) -> Conditions:
        """What the launcher means for each job."""
        return conditions(self.launcher, self.settings.n_jobs)

    def checked(self, trials: Sequence[Sequence[str]]) -> list[Job]:
        """Trials as they can be carried out.

        Args:
            trials: the own words of each, as the user would type them.

        Raises:
            UsageError: all that is wrong with any of them.
        """
        return validated(self.command, [(tuple(words), self._composed(words)) for words in trials])

    def launching(self, folder: Path) -> Launch:
        """What carries out trials in a folder, as many at a time as the launcher does."""
        launcher = self._launcher(folder)

        def hand_over(trials: Sequence[Job]) -> None:
            if launcher is None:
                for each in trials:
                    run_in_sweep(self.command, each.plain, folder)
                return
            batch = [self.space.composable(each.words) for each in trials]
            for ended in launcher.launch(batch, initial_job_idx=0):
                _ = ended.return_value  # raises what ended the launcher's worker

        return lambda trials: launch(partial(hand_over, trials), folder) if trials else None

    def _composed(self, words: Sequence[str]) -> DictConfig:
        with complaints_as_ours(self.command):
            whole = self.loader.load_sweep_config(self.shared, self.space.composable(words))
        with read_write(whole), open_dict(whole):
            del whole["hydra"]
        return whole

    def _launcher(self, folder: Path) -> Launcher | None:
        """Hydra's, where it does more than to call one job after another."""
        if is_basic(self.launcher):
            return None
        words = [*self.hydra, *self.space.fixed, f"hydra.sweep.dir={quoted(folder)}"]
        config = _loaded(self.loader, self.command, words)
        return Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(config_loader=self.loader, callbacks=Callbacks(config)),
            task_function=job,
            config=config,
        )


@contextmanager
def jobs_of(command: str, words: Words, extra: Sequence[str]) -> Iterator[Jobs]:
    """All that the words of a search mean.

    Args:
        command: a word that Hydra composes.
        words: as they were typed.
        extra: words that every trial of this command has besides, as Hydra wants them.

    Raises:
        UsageError: they cannot be composed, here or by a launcher.
    """
    folder = str(configs.config_folder())
    with (
        complaints_as_ours(command),
        initialize_config_dir(folder, job_name=command, version_base=VERSION_BASE),
    ):
        loader = GlobalHydra.instance().config_loader()
        space = space_of(list(dict.fromkeys([*hydra_words(words), *extra])), loader)
        told = ("hydra.mode=MULTIRUN", *map(_forced, space.hydra), *_search_path(words))
        refuse_missing_plugin(told)
        settings = _settings(_loaded(loader, command, [*told, *space.fixed]))
        hydra = (*told, *_side_by_side(loader, command, told, settings))
        config = _loaded(loader, command, [*hydra, *space.fixed])
        yield Jobs(command, loader, space, settings, hydra, config, _launcher_of(config))


def _loaded(loader: ConfigLoader, command: str, words: list[str]) -> DictConfig:
    return loader.load_configuration(command, words, run_mode=RunMode.MULTIRUN)


def _forced(word: str) -> str:
    """A key of ours that does not exist is refused by pydantic, with the nearest one."""
    return f"++{word.lstrip('+')}" if word.lstrip("+").startswith(_OWN) else word


def _search_path(words: Words) -> list[str]:
    own = [f"'file://{folder.resolve()}'" for folder in words.config_folders[1:]]
    return [f"hydra.searchpath=[{','.join(own)}]"] if own else []


def _settings(config: DictConfig) -> SearchSettings:
    plain: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    try:
        return SearchSettings.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        from ae_cls.experiment.mistakes import mistake_line as explain  # here, as it imports torch

        mistakes = [_OWN + explain(mistake, plain) for mistake in error.errors()]
    raise UsageError(
        "the search is told what it cannot do", where="\n".join(mistakes),
        fix="its keys are " + ", ".join(_OWN + key for key in SearchSettings.model_fields),
    )  # fmt: skip


def _launcher_of(config: DictConfig) -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(config.hydra.launcher, resolve=False)
    return plain


def _side_by_side(
    loader: ConfigLoader, command: str, told: Sequence[str], settings: SearchSettings
) -> list[str]:
    """What lets the launcher have as many workers as there are trials at a time."""
    launcher = _launcher_of(_loaded(loader, command, list(told)))
    if is_basic(launcher) and settings.n_jobs > 1:
        raise UsageError(
            "this launcher carries out one trial at a time",
            where=f"hydra.sweeper.n_jobs={settings.n_jobs}",
            fix="one that takes several: hydra/launcher=joblib",
        )
    said = any(word.lstrip("+").startswith("hydra.launcher.n_jobs=") for word in told)
    workers = [f"hydra.launcher.n_jobs={settings.n_jobs}"]
    more = workers if "n_jobs" in launcher and not said else []
    return [*extra_words(launcher, told), *more]
