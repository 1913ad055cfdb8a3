"""What is wrong with composed values, as the user typed them; one line a mistake."""

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ae_cls.errors import UsageError, did_you_mean
from ae_cls.experiment.configs import key_names
from ae_cls.experiment.hints import meant_key

Part = TypeVar("Part")


def read_part(
    validate_json: Callable[[str], Part], plain: dict[str, Any], group: str, fix: str
) -> Part:
    """The settings that one config group composes to.

    Raises:
        UsageError: all mistakes at once, each with its key, value and what is allowed.
    """
    try:
        return validate_json(json.dumps(plain))
    except ValidationError as error:
        lines = [f"{group}.{mistake_line(mistake, plain)}" for mistake in error.errors()]
    raise UsageError(f"mistake in the settings of {group}", where="\n".join(lines), fix=fix)


def mistake_line(mistake: ErrorDetails, plain: dict[str, Any]) -> str:
    """One line: key, value, what is allowed, the nearest known word."""
    key = _located(mistake, plain)
    said = mistake["msg"].removeprefix("Value error, ")
    if not key:
        return said
    if mistake["type"] == "extra_forbidden":
        typed = ".".join(key)
        return meant_key(typed, [name for name in key_names(plain) if name != typed]).said(typed)
    if mistake["type"] == "missing":
        return f"{'.'.join(key)}: has no value"
    return f"{'.'.join(key)}{_shown(mistake['input'])}: {said}{_near(mistake)}"


def _near(mistake: ErrorDetails) -> str:
    """The nearest of the words that are allowed, as a question; often none."""
    if mistake["type"] != "literal_error":
        return ""
    known = re.findall(r"'([^']*)'", mistake.get("ctx", {}).get("expected", ""))
    near = did_you_mean(str(mistake["input"]), known)
    return f"; {near}" if near else ""


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ""  # a mistake of a whole part is between its keys
    text = json.dumps(value)
    return "=" + (text if len(text) < 60 else text[:57] + "...")


def _located(mistake: ErrorDetails, plain: dict[str, Any]) -> list[str]:
    """The key as the user types it."""
    key: list[str] = []
    node: Any = plain
    for part in mistake["loc"]:
        inside = isinstance(node, dict)
        if inside and part not in node and part == node.get("name"):
            continue  # the union member's name (pydantic#7500); the user did not type it
        key.append(str(part))
        node = node.get(part) if inside else None
    return key
