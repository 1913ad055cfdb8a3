"""The words behind `ae-cls run` as Hydra wants them."""

import re
from collections.abc import Sequence
from pathlib import Path

from ae_cls.cli.flags import Words
from ae_cls.cli.nearest import did_you_mean
from ae_cls.errors import UsageError
from ae_cls.experiment import configs


def hydra_words(words: Words) -> list[str]:
    """The overrides as Hydra wants them, so that pydantic answers for every key that is no group.

    A key that is no group is set by force (`++`): one that does not exist is then refused with all
    other mistakes and the nearest known word. A nested group may be written with dots.

    Raises:
        UsageError: a word is no `key=value`, or names a group that is not there.
    """
    return [_hydra_word(word, words.config_folders) for word in words.overrides]


def _hydra_word(word: str, folders: Sequence[Path]) -> str:
    plus, key, equals, value = _parts(word)
    if word.startswith("~") or key.startswith(("hydra.", "hydra/")):
        return word
    if not equals:
        raise UsageError(f"{word} is not of the form key=value", fix=_as_option(word, folders))
    group, at, package = key.partition("@")
    if configs.is_group(group.replace(".", "/"), folders):
        return f"{plus}{group.replace('.', '/')}{at}{package}={value}"
    if "/" in group:
        known = configs.groups(folders)
        raise UsageError(
            f"there is no group {group}", where=word,
            fix=did_you_mean(group, known) or ", ".join(known),
        )  # fmt: skip
    return f"++{key}={value}"


def _parts(word: str) -> tuple[str, str, str, str]:
    found = re.fullmatch(r"(\+*)([^=]*)(=?)(.*)", word, re.DOTALL)
    assert found is not None  # it matches everything
    plus, key, equals, value = found.groups()
    return plus, key, equals, value


def _as_option(word: str, folders: Sequence[Path]) -> str:
    known = [
        f"{group}={word}"
        for group in configs.groups(folders)
        if word in configs.options(group, folders)
    ]
    return f"did you mean {known[0]}?" if known else "for example head=svm or labels.per_class=10"
