"""The help text of the composed commands, and of the options that are chosen."""

import argparse
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ae_cls.cli.flags import parser
from ae_cls.experiment import configs, recipes

_WIDTH = 80


def help_of(command: str) -> str:
    """Usage, groups with their options, keys, flags, examples."""
    root = configs.config_folder() / f"{command}.yaml"
    parts = [
        f"ae-cls {command}: {configs.first_comment(root)}",
        f"usage: ae-cls {command} [GROUP=OPTION ...] [KEY=VALUE ...] [FLAG ...], in any order",
        f"Groups; * is the default. An option's own keys: ae-cls {command} GROUP=OPTION --help",
        *(_group(name, default) for name, default in configs.all_groups_of(command).items()),
        *([_recipes()] if command in recipes.COMMANDS else []),
        _section("Keys, with their defaults", _keys(command)),
        _section("Flags", _flags(command)),
        "\n".join(["Examples", *(f"  {example}" for example in configs.examples(root))]),
    ]
    return "\n\n".join(parts)


def _recipes() -> str:
    title = (
        f"{recipes.GROUP}: recipes, whole commands by name; what each costs and should give is in"
    )
    rows = [(f"  {name}", says) for name, says in configs.described_options(recipes.GROUP).items()]
    return _section(f"{title} {configs.config_folder() / recipes.GROUP}", rows)


def _group(name: str, default: str | None) -> str:
    rows = [
        (f"{'*' if option == default else ' '} {option}", says)
        for option, says in configs.described_options(name).items()
    ]
    return _section(name, rows)


def _keys(command: str) -> list[tuple[str, str]]:
    return [(f"{key.name}={key.default}", key.meaning) for key in configs.keys_of(command)]


def _flags(command: str) -> list[tuple[str, str]]:
    return [
        (f"{', '.join(flag.option_strings)} {_value(flag)}".rstrip(), flag.help or "")
        for flag in parser(command).shown()
        if flag.option_strings
    ]


def _value(flag: argparse.Action) -> str:
    return "|".join(flag.choices or ()) or str(flag.metavar or "")


def _section(title: str, rows: list[tuple[str, str]]) -> str:
    width = min(28, max(len(left) for left, _ in rows))
    return "\n".join([title, *(f"  {left:<{width}}  {right}".rstrip() for left, right in rows)])


def help_of_options(command: str, words: Sequence[str], folders: Sequence[Path]) -> str:
    """The keys of the options that the words choose; empty if they choose none.

    Raises:
        UsageError: a word cannot be read, or chooses what does not exist.
    """
    if not words:
        return ""
    from ae_cls.words.compose import unresolved  # here and below, as these imports take time
    from ae_cls.words.read import chosen_options

    chosen = chosen_options(words, folders)
    if not chosen:
        return ""
    words = [f"{group}={option}" for group, option in chosen.items()]
    plain = unresolved(command, words, folders)
    schema = _schema(command)
    parts = [
        "\n".join([_says(group, option), *_rows(command, group, schema, plain)])
        for group, option in chosen.items()
    ]
    return "\n\n".join([*parts, f"All groups and the other keys: ae-cls {command} --help"])


def _says(group: str, option: str) -> str:
    says = configs.described_options(group.replace(".", "/")).get(option, "an option of yours")
    return f"{group}={option}: {says}"


def _rows(command: str, group: str, schema: dict[str, Any], plain: dict[str, Any]) -> Iterator[str]:
    from ae_cls.experiment.fields import fields_of

    inner_groups = [name for name in configs.groups() if name.startswith(f"{group}/")]
    for name in inner_groups:
        options, typed = ", ".join(configs.options(name)), name.replace("/", ".")
        if name.rpartition("/")[2] in plain[group]:
            yield from _row(f"{typed}=...", f"{options}: ae-cls {command} {typed}=... --help")
    for key in fields_of(schema, group, plain):
        yield from _row(f"{key.name}={key.default}", key.meaning)


def _row(word: str, meaning: str) -> list[str]:
    indent = " " * 6
    lines = textwrap.wrap(meaning, _WIDTH, initial_indent=indent, subsequent_indent=indent)
    return [f"  {word}", *lines]


def _schema(command: str) -> dict[str, Any]:
    from ae_cls.experiment.descriptions import COMMANDS
    from ae_cls.jobs.launch import CHOICE

    schema, launch = COMMANDS[command].model_json_schema(), CHOICE.json_schema()
    schema["$defs"] |= launch.pop("$defs")
    schema["properties"]["launch"] = launch
    return schema
