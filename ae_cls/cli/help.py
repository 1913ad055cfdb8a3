"""The help text of the composed commands, read from the configs folder."""

import argparse

from ae_cls.cli.flags import parser
from ae_cls.experiment import configs


def help_of(command: str) -> str:
    """Usage, groups with their options, keys, flags, examples."""
    root = configs.config_folder() / f"{command}.yaml"
    parts = [
        f"ae-cls {command}: {configs.first_comment(root)}",
        f"usage: ae-cls {command} [GROUP=OPTION ...] [KEY=VALUE ...] [FLAG ...], in any order",
        "Groups; * is the default. An option's own keys: "
        f"ae-cls {command} GROUP=OPTION --cfg job --package GROUP",
        *(_group(name, default) for name, default in configs.all_groups_of(command).items()),
        _section("Keys, with their defaults", _keys(command)),
        _section("Flags", _flags(command)),
        "\n".join(["Examples", *(f"  {example}" for example in configs.examples(root))]),
    ]
    return "\n\n".join(parts)


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
