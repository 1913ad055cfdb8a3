"""Recipes: whole experiments by name, each the words that one would have to type."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ae_cls.errors import UsageError, did_you_mean
from ae_cls.experiment import configs

GROUP = "experiment"
COMMANDS = ("run", "study")
"""The commands that offer recipes."""


def spelt_out(command: str, words: Sequence[str], folders: Sequence[Path]) -> tuple[str, ...]:
    """The words, with those of a recipe in place of `experiment=NAME`.

    A word of the user's takes the place of the recipe's word for the same key; an option that the
    user chooses, that of all its words for keys of that group.

    Raises:
        UsageError: there is no such recipe, or it is one of a study and this is none.
    """
    if not any(map(_name_in, words)):
        return tuple(words)
    others = [word for word in words if not _name_in(word)]
    found = [said for word in words if (name := _name_in(word)) for said in _words(name, folders)]
    if command != "study" and any(_key(word).split(".")[0] in ("study", "arm") for word in found):
        recipe = next(filter(_name_in, words))
        raise UsageError(f"{recipe} is a study", fix=f"ae-cls study {' '.join(words)}")
    keys = {_key(word) for word in others}
    chosen = {key for key in keys if configs.is_group(key.replace(".", "/"), folders)}
    kept = (w for w in found if _key(w) not in keys and not chosen & {*_groups_above(_key(w))})
    return (*kept, *others)


def _name_in(word: str) -> str:
    key, _, value = word.lstrip("+").partition("=")
    return value if key == GROUP else ""


def _words(name: str, folders: Sequence[Path]) -> list[str]:
    known = configs.options(GROUP, folders)
    if name not in known:
        raise UsageError(
            f"{GROUP}={name}: there is no such recipe",
            fix=did_you_mean(name, known) or ", ".join(known),
        )
    return configs.read_yaml(configs.option_file(GROUP, name, folders))["words"]


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0].replace("/", ".")


def _groups_above(key: str) -> Iterator[str]:
    """Of a.b.c: a and a.b."""
    parts = key.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts)))
