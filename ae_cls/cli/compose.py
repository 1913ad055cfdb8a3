"""Handing words to Hydra, and what comes back: plain values, or its complaints as ours."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.main import main as hydra_main
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ae_cls.cli.nearest import did_you_mean
from ae_cls.errors import UsageError
from ae_cls.experiment import configs

VERSION_BASE = "1.3"

Task = Callable[[DictConfig], object]


def hand_to_hydra(command: str, words: Sequence[str], task: Task) -> None:
    """Let Hydra compose the words and call `task`, once or once a job.

    Raises:
        UsageError: the words cannot be composed.
    """
    # Hydra then raises its errors instead of printing them and ending with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    typed, sys.argv = sys.argv, ["ae-cls", *words]
    folder = str(configs.config_folder())
    try:
        with complaints_as_ours(command):
            hydra_main(config_path=folder, config_name=command, version_base=VERSION_BASE)(task)()
    finally:
        sys.argv = typed


@contextmanager
def complaints_as_ours(command: str) -> Iterator[None]:
    """Let Hydra's errors be the user's mistakes, told as all others.

    Raises:
        UsageError: Hydra complains.
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise _as_usage_error(error, command) from error


def plain_values(config: DictConfig, command: str) -> dict[str, Any]:
    """The composed config without anything of Hydra.

    Raises:
        UsageError: a value that only the user knows is missing, or an interpolation leads nowhere.
    """
    try:
        missing = sorted(OmegaConf.missing_keys(config))
        plain = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise _as_usage_error(error, command) from error
    if missing:
        raise UsageError(
            f"{', '.join(missing)} must be given",
            fix=f"ae-cls {command} " + " ".join(f"{key}=..." for key in missing),
        )
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def launcher_settings(
    command: str, words: Sequence[str], folders: Sequence[Path]
) -> dict[str, Any]:
    """What words about the launcher compose to, with options from our folder and these.

    Raises:
        UsageError: there is no such launcher, or no such setting of it.
    """
    more = ", ".join(f"'file://{folder.resolve()}'" for folder in folders)
    overrides = [*words, f"hydra.searchpath=[{more}]"]
    ours = str(configs.config_folder())
    try:
        with initialize_config_dir(ours, version_base=VERSION_BASE):
            composed = compose(command, overrides=overrides, return_hydra_config=True)
        plain = OmegaConf.to_container(composed.hydra.launcher, resolve=False)
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise _as_usage_error(error, command) from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _as_usage_error(error: Exception, command: str) -> UsageError:
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        return _wrong_option(error.missing_cfg_file, error.options)
    if isinstance(error, OverrideParseException):
        return _unreadable(error)
    text = str(error)
    if found := re.match(r"Could not override '([^']+)'", text):
        return _not_chosen(found.group(1), command)
    if found := re.search(r"(?:Ambiguous value for argument|Sweep parameters) '(.+?)'", text):
        return _several_values(found.group(1).lstrip("+"), command)
    if "does not support sweep type" in text:
        return UsageError(
            "an interval holds more values than a sweep can try",
            fix=f"a search: ae-cls {command} -m hydra/sweeper=optuna ...",
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return UsageError("the words do not make a config", why="\n".join(lines[:4]))


def _wrong_option(missing: str, known: Sequence[str]) -> UsageError:
    group, _, option = missing.rpartition("/")
    near = did_you_mean(option, known)
    options = ", ".join(sorted(known))
    return UsageError(
        f"{group}={option}: there is no such option",
        fix=f"{near}\n{options}" if near else options,
    )


def _several_values(word: str, command: str) -> UsageError:
    key, _, value = word.partition("=")
    if "interval(" in value:
        fix = f"a search: ae-cls {command} -m hydra/sweeper=optuna '{word}'"
        return UsageError(f"{word} names several values", fix=fix)
    fix = f"a sweep over them: ae-cls {command} -m {word}"
    if not configs.is_group(key, [configs.config_folder()]):
        fix += f"\none list: '{key}=[{value}]'; one text: '{key}=\"{value}\"'"
    return UsageError(f"{word} names several values", fix=fix)


def _unreadable(error: OverrideParseException) -> UsageError:
    word = error.override.lstrip("+")
    key, _, value = word.partition("=")
    return UsageError(
        f"{word} cannot be read", why=error.message.splitlines()[0],
        fix=f"quotes inside the word: '{key}=\"{value}\"'",
    )  # fmt: skip


def _not_chosen(group: str, command: str) -> UsageError:
    own = configs.groups_of(command)
    if "/" in group:
        outer = group.rpartition("/")[0]
        return UsageError(
            f"{group} cannot be chosen here", why=f"the chosen {outer} has nothing of that kind"
        )
    return UsageError(
        f"{command} chooses no {group}", why=f"its groups are {', '.join(own)}",
        fix=f"ae-cls {command} --help",
    )  # fmt: skip
