"""Completion in bash, zsh and fish: `eval "$(ae-cls -sc install=bash)"`."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ae_cls.cli.flags import sort_words
from ae_cls.cli.parser import Command
from ae_cls.errors import UsageError
from ae_cls.experiment import configs, recipes

_SCRIPTS = Path(__file__).with_name("shells")


def complete(words: Sequence[str], commands: Mapping[str, Command]) -> int:
    """Print what a shell asks for: the script to install, or what may stand at the cursor; 0.

    Args:
        words: behind `-sc`: `install=SHELL`, or `query` and the line up to the cursor.
        commands: all command words.

    Raises:
        UsageError: there is no such shell.
    """
    if words[:1] == ["query"]:
        for word in candidates(words[-1], commands):
            print(word)
        return 0
    scripts = {f"install={path.suffix[1:]}": path for path in sorted(_SCRIPTS.iterdir())}
    if len(words) != 1 or words[0] not in scripts:
        raise UsageError("completion is for bash, zsh and fish", fix=", ".join(scripts))
    print(scripts[words[0]].read_text(encoding="utf-8"), end="")
    return 0


def candidates(line: str, commands: Mapping[str, Command]) -> list[str]:
    """What may stand at the end of a line; nothing where a path may, or a word is wrong."""
    try:
        _, *words = shlex.split(line)
        current = "" if line.endswith(" ") or not words else words.pop()
        return [word for word in _possible(words, current, commands) if word.startswith(current)]
    except (ValueError, UsageError):
        return []  # a quote is open, or an earlier word is wrong: that is said on entering the line


def _possible(
    words: Sequence[str], current: str, commands: Mapping[str, Command]
) -> Sequence[str] | Iterator[str]:
    if not words:
        return list(commands)
    word, *earlier = words
    if searching := word == "search" and bool(earlier):
        word, *earlier = earlier
    if word not in commands:
        return []
    parser = commands[word].parser()
    values = parser.choices_after(earlier[-1]) if earlier else None
    if values is not None:
        return values
    if current.startswith("-"):
        return parser.flags()
    if commands[word].is_composed:
        return _overrides(word, earlier, current, searching)
    return [] if earlier else parser.first_choices()


def _overrides(
    command: str, earlier: Sequence[str], current: str, searching: bool
) -> Iterator[str]:
    typed = sort_words(command, earlier)
    key, equals, value = current.partition("=")
    if equals:
        group = key.lstrip("+").replace(".", "/")
        start = value[: value.rfind(",") + 1]
        return (f"{key}={start}{option}" for option in configs.options(group, typed.folders))
    if searching and key.startswith("search."):
        return (f"search.{inner.name}=" for inner in configs.keys_of("search/optuna"))
    # An interval leaves open what the word stands for, and an arm of a study is no key.
    words = [word for word in typed.overrides if "interval(" not in word and word[:4] != "arm."]
    keys = _keys(command, words, typed.folders, key.rpartition(".")[0])
    return chain(["search."] if searching else [], keys)


def _keys(command: str, words: Sequence[str], folders: Sequence[Path], outer: str) -> Iterator[str]:
    """Groups, and the keys below `outer` of what the earlier words compose to."""
    from ae_cls.words.combinations import combinations  # here, as these imports take time
    from ae_cls.words.compose import unresolved

    offered = [recipes.GROUP] if command in recipes.COMMANDS else []
    yield from (f"{name}=" for name in (*configs.all_groups_of(command), *offered))
    node: Any = unresolved(command, combinations(words, folders)[0].words, folders)
    for part in outer.split(".") if outer else ():
        node = node.get(part) if isinstance(node, dict) else None
    start = f"{outer}." if outer else ""
    for name, value in node.items() if isinstance(node, dict) else ():
        yield f"{start}{name}{'.' if isinstance(value, dict) else '='}"
