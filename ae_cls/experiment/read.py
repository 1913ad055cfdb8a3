"""From composed YAML or a config.json to a description; mistakes are told all at once."""

import difflib
import json
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ae_cls.errors import UsageError
from ae_cls.experiment.common import CommonKeys
from ae_cls.experiment.descriptions import COMMANDS, Experiment, Pretraining

Command = TypeVar("Command", bound=CommonKeys)


def read(kind: type[Command], plain: dict[str, Any]) -> Command:
    """The description that composed YAML or a config.json holds.

    Raises:
        UsageError: all mistakes at once, each with its key, value and what is allowed.
    """
    try:
        # Strict, read as JSON: lists become tuples, but no string becomes a number.
        return kind.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        mistakes = [explain(mistake, plain) for mistake in error.errors()]
    what = (
        "mistake in the config" if len(mistakes) == 1 else f"{len(mistakes)} mistakes in the config"
    )
    raise UsageError(what, where="\n".join(mistakes), fix=f"ae-cls {command_of(kind)} --help")


def command_of(kind: type[CommonKeys]) -> str:
    """The word on the command line that composes to this kind."""
    return next(word for word, composed in COMMANDS.items() if composed is kind)


def read_run(plain: dict[str, Any]) -> Experiment | Pretraining:
    """The description in a run's config.json, of `run` or of `pretrain` alone.

    Raises:
        UsageError: all mistakes at once.
    """
    return read(Experiment if "head" in plain else Pretraining, plain)


def explain(mistake: ErrorDetails, plain: dict[str, Any]) -> str:
    """One line: key, value, what is allowed, the nearest known word."""
    key, siblings = locate(mistake, plain)
    said = mistake["msg"].removeprefix("Value error, ")
    if not key:
        return said
    if mistake["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key[-1], siblings, 1)
        hint = f"; did you mean {'.'.join([*key[:-1], near[0]])}?" if near else ""
        return f"{'.'.join(key)}: there is no such key{hint}"
    if mistake["type"] == "missing":
        return f"{'.'.join(key)}: has no value"
    return f"{'.'.join(key)}{_shown(mistake['input'])}: {said}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ""  # a mistake of a whole part is between its keys
    text = json.dumps(value)
    return "=" + (text if len(text) < 60 else text[:57] + "...")


def locate(mistake: ErrorDetails, plain: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The key as the user types it, and its composed siblings, which are all known words."""
    key: list[str] = []
    siblings: list[str] = []
    node: Any = plain
    for part in mistake["loc"]:
        inside = isinstance(node, dict)
        if inside and part not in node and part == node.get("name"):
            continue  # the union member's name (pydantic#7500); the user did not type it
        siblings = [other for other in node if other != part] if inside else []
        key.append(str(part))
        node = node.get(part) if inside else None
    return key, siblings
