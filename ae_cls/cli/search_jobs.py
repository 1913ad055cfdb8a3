"""The jobs of a search as Hydra composes and launches them."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks  # Hydra's launchers ask for it
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from pydantic import ValidationError

from ae_cls.cli import configs
from ae_cls.cli.compose import VERSION_BASE, complaints_as_ours
from ae_cls.cli.flags import Words
from ae_cls.cli.job import job
from ae_cls.cli.search_settings import SearchSettings
from ae_cls.cli.search_space import Space, space_of
from ae_cls.cli.sweep import Composed, quoted
from ae_cls.cli.words import hydra_words
from ae_cls.errors import UsageError
from ae_cls.experiment import explain

Launch = Callable[[Sequence[Sequence[str]]], None]
"""Carries out trials, of which it gets the words."""

_OWN = "hydra.sweeper."
_ONE_AT_A_TIME = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


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
    """

    command: str
    loader: ConfigLoader
    space: Space
    settings: SearchSettings
    hydra: tuple[str, ...]
    shared: DictConfig

    def composed(self, words: Sequence[str]) -> Composed:
        """The config of a trial.

        Args:
            words: its own, as the user would type them.
        """
        with complaints_as_ours(self.command):
            whole = self.loader.load_sweep_config(self.shared, self.space.composable(words))
        with read_write(whole), open_dict(whole):
            del whole["hydra"]
        return Composed(tuple(words), whole)

    def launching(self, folder: Path) -> Launch:
        """What carries out trials in a folder, as many at a time as the launcher does.

        Each leaves its record.
        """
        config = _loaded(
            self.loader,
            self.command,
            [*self.hydra, *self.space.fixed, f"hydra.sweep.dir={quoted(folder)}"],
        )
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(config_loader=self.loader, callbacks=Callbacks(config)),
            task_function=job,
            config=config,
        )

        def launch(trials: Sequence[Sequence[str]]) -> None:
            batch = [self.space.composable(words) for words in trials]
            for ended in launcher.launch(batch, initial_job_idx=0) if batch else ():
                _ = ended.return_value  # raises what the job let pass

        return launch


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
        hydra = ("hydra.mode=MULTIRUN", *map(_forced, space.hydra), *_search_path(words))
        config = _loaded(loader, command, [*hydra, *space.fixed])
        settings = _settings(config)
        yield Jobs(
            command, loader, space, settings, (*hydra, *_at_a_time(config, settings, hydra)), config
        )


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
        mistakes = [_OWN + explain(mistake, plain) for mistake in error.errors()]
    raise UsageError(
        "the search is told what it cannot do", where="\n".join(mistakes),
        fix="its keys are " + ", ".join(_OWN + key for key in SearchSettings.model_fields),
    )  # fmt: skip


def _at_a_time(config: DictConfig, settings: SearchSettings, hydra: Sequence[str]) -> list[str]:
    """Let the launcher have as many workers as there are trials at a time."""
    launcher = config.hydra.launcher
    if launcher._target_ == _ONE_AT_A_TIME:
        if settings.n_jobs > 1:
            raise UsageError(
                "this launcher carries out one trial at a time",
                where=f"hydra.sweeper.n_jobs={settings.n_jobs}",
                fix="one that takes several: hydra/launcher=joblib",
            )
        return []
    said = any(word.lstrip("+").startswith("hydra.launcher.n_jobs=") for word in hydra)
    return [f"hydra.launcher.n_jobs={settings.n_jobs}"] if "n_jobs" in launcher and not said else []
