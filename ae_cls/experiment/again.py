"""The words of `ae-cls run` that make a config: the few in which it differs from the defaults."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from ae_cls.experiment import configs
from ae_cls.experiment.common import HOW, WHERE
from ae_cls.store.key import changes, flat

_UNSAID = frozenset({*WHERE, *HOW, "launch"})
_PLAIN = re.compile(r"[\w./:@%-]+")  # text that Hydra takes as it stands


def words_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The shortest words that compose to this config, apart from where and how it is carried out.

    Keys that are missing are left to their defaults.
    """
    groups = configs.defaults_of("run")
    words = [
        word
        for group, default in groups.items()
        if group in config
        for word in _words_of_group(group, default, config[group])
    ]
    rest = {key: value for key, value in config.items() if key not in {*groups, *_UNSAID}}
    return (*words, *_differences("", _keys("run"), rest))


def _words_of_group(group: str, default: str, values: Mapping[str, Any]) -> list[str]:
    """Those of the option, among those of this name, that takes the fewest."""
    options = [default, *configs.options(group)]
    fitting = [one for one in options if _option(group, one).get("name") == values.get("name")]
    ways = [list(_words_of_option(group, default, one, values)) for one in fitting or options]
    return min(ways, key=len)


def _words_of_option(
    group: str, default: str, option: str, values: Mapping[str, Any]
) -> Iterator[str]:
    if option != default:
        yield f"{group}={option}"
    chosen = _option(group, option)
    inner = [name for name in configs.groups() if name.startswith(f"{group}/")]
    for name in inner:
        key = name.rpartition("/")[2]
        if key in values and values[key] != chosen.get(key):
            yield from _words_of_inner(name, key, chosen, values)
            chosen = {**chosen, key: values[key]}
    yield from _differences(f"{group}.", chosen, values)


def _words_of_inner(
    name: str, key: str, chosen: Mapping[str, Any], values: Mapping[str, Any]
) -> Iterator[str]:
    """A nested group: another option of it, and the keys in which that differs."""
    options = configs.options(name)
    nearest = min(options, key=lambda option: len(changes(_option(name, option), values[key])))
    if _option(name, nearest)["name"] != chosen.get(key, {}).get("name"):
        yield f"{name}={nearest}"
        chosen = {key: _option(name, nearest)}
    yield from _differences(f"{name.replace('/', '.')}.", chosen[key], values[key])


def _differences(above: str, before: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    for change in changes(before, values):
        if change.key in flat(values):
            yield f"{above}{change.key}={_value(above + change.key, change.now)}"


def _value(key: str, value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value, separators=(",", ":"))
    if configs.is_path_key(key) or _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@cache
def _option(group: str, option: str) -> Mapping[str, Any]:
    """What an option composes to: what it builds on, then its own values."""
    own = configs.read_yaml(configs.config_folder() / group / f"{option}.yaml")
    return {**_beneath(group, own.pop("defaults", [])), **own}


def _beneath(group: str, defaults: Sequence[Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for entry in defaults:
        if isinstance(entry, dict):
            for said, option in entry.items():
                key = said.removeprefix("override ")  # of what it builds on
                values[key] = _option(f"{group}/{key}", option)
        elif entry != "_self_":
            values |= _option(group, entry)
    return values


@cache
def _keys(file: str) -> Mapping[str, Any]:
    """The keys of a root and of those that it builds on, its groups left out."""
    own = configs.read_yaml(configs.config_folder() / f"{file}.yaml")
    entries = own.pop("defaults", [])
    bases = [_keys(one) for one in entries if isinstance(one, str) and one != "_self_"]
    return {key: value for base in bases for key, value in base.items()} | own


def command_of_runs(plain: Sequence[Mapping[str, Any]]) -> str:
    """The one command that makes runs of one method: a sweep over the keys in which they differ."""
    words = [dict(word.split("=", 1) for word in words_of(config)) for config in plain]
    keys = dict.fromkeys(key for one in words for key in one)
    values = {
        key: list(dict.fromkeys(one.get(key, unsaid(key, config))
                                for one, config in zip(words, plain, strict=True)))
        for key in keys
    }  # fmt: skip
    several = any(len(found) > 1 for found in values.values())
    said = (
        shlex.quote(f"{key}={','.join(sorted(found, key=_by_size))}")
        for key, found in values.items()
    )
    return " ".join(["ae-cls run" + " -m" * several, *said])


def _by_size(value: str) -> tuple[float, str]:
    """Numbers by their size, other values in front, by their letters."""
    return (float(value) if re.fullmatch(r"[\d.]+", value) else -1.0), value


def unsaid(key: str, config: Mapping[str, Any]) -> str:
    """What a word would say of a config that needs no such word."""
    groups = configs.defaults_of("run")
    return groups[key] if key in groups else _value(key, flat(config).get(key))
