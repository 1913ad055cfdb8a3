"""From composed YAML or a config.json to a description; all mistakes at once."""

import json
from typing import Any, TypeVar

from pydantic import ValidationError

from ae_cls.errors import ModelFileError, UsageError, mistakes_in_config
from ae_cls.experiment.common import CommonKeys
from ae_cls.experiment.descriptions import COMMANDS, Experiment, Pretraining
from ae_cls.experiment.mistakes import mistake_line
from ae_cls.experiment.older import in_todays_words

Command = TypeVar("Command", bound=CommonKeys)
Run = TypeVar("Run", bound=Experiment | Pretraining)


def read(kind: type[Command], plain: dict[str, Any]) -> Command:
    """The description that composed YAML or a config.json holds.

    Raises:
        UsageError: all mistakes at once, each with its key, value and what is allowed.
    """
    try:
        # Strict, read as JSON: lists become tuples, but no string becomes a number.
        return kind.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        mistakes = [mistake_line(mistake, plain) for mistake in error.errors()]
    raise mistakes_in_config(mistakes, fix=f"ae-cls {command_of(kind)} --help")


def command_of(kind: type[CommonKeys]) -> str:
    """The word on the command line that composes to this kind."""
    return next(word for word, composed in COMMANDS.items() if composed is kind)


def read_run(plain: dict[str, Any]) -> Experiment | Pretraining:
    """The description in a run's config.json, of `run` or of `pretrain` alone.

    Raises:
        UsageError: all mistakes at once.
    """
    return read(Experiment if "head" in plain else Pretraining, plain)


def with_data_at(description: Run, root: str) -> Run:
    """The same on data that have moved to this file or folder."""
    dataset = description.dataset.model_dump(mode="json") | {"root": root}
    return read(type(description), description.model_dump(mode="json") | {"dataset": dataset})


def read_saved(plain: dict[str, Any], version: int) -> Experiment | Pretraining:
    """As `read_run`, of what ae-cls wrote: whoever gave it cannot mend single keys.

    Args:
        plain: the description.
        version: of the format that it was written in.

    Raises:
        ModelFileError: its keys are not those of that version.
    """
    try:
        return read_run(in_todays_words(plain, version))
    except UsageError as error:
        raise ModelFileError(
            "this run is of another version of ae-cls, whose settings were others",
            where="config.json",
            why=error.where,
            fix="make it again, with the command that made it; or use it with the version that "
            "made it, which environment.json in the run folder names",
        ) from error
