"""The words behind a composed command, read by Hydra's own parser."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, OverrideType
from hydra.errors import OverrideParseException

from ae_cls.errors import UsageError, did_you_mean
from ae_cls.experiment import configs
from ae_cls.experiment.hints import as_dataset, meant_option, meant_words
from ae_cls.words.paths import readable

_DEEPEST = 32  # brackets; no value of ours has more than three
_SEARCH = "ae-cls search run ... search.trials=30"
_INSTEAD = {
    "hydra/launcher=joblib": "launch=local launch.jobs=2",
    "hydra/launcher=submitit_local": "launch=slurm_here",
    "hydra/launcher=submitit": "launch=slurm",
    "hydra/launcher=": "launch=local",
    "hydra.launcher.n_jobs": "launch.jobs=2",
    "hydra.launcher.": "launch=slurm launch.timeout_min=60",
    "hydra/sweeper=": _SEARCH,
    "hydra.sweeper.": _SEARCH,
}
"""How a word of Hydra's launchers and sweepers begins: what does it here."""


def parsed(words: Sequence[str], folders: Sequence[Path] = ()) -> list[Override]:
    """Each word as Hydra reads it, so that pydantic answers for every key that is no group.

    A key that is no group is set by force (`++`): one that does not exist is then refused with all
    other mistakes and the nearest known word. A nested group may be written with dots.
    A path is text, whatever it looks like.

    Raises:
        UsageError: a word cannot be read, or names a group that does not exist.
    """
    parser = OverridesParser.create()
    clear = [readable(word, words) for word in words]
    return [_group_or_key(_read(parser, word, folders), word, folders) for word in clear]


def chosen_options(words: Sequence[str], folders: Sequence[Path] = ()) -> dict[str, str]:
    """The options that the words choose, by dotted group.

    Raises:
        UsageError: a word cannot be read.
    """
    return {
        override.key_or_group.replace("/", "."): override.get_value_string()
        for override in parsed(words, folders)
        if not override.is_delete() and configs.is_group(override.key_or_group, folders)
    }


def values_of(words: Sequence[str]) -> dict[str, Any]:
    """Keys and their values, where the words choose no options.

    Raises:
        UsageError: a word cannot be read, or does not say one value of one key.
    """
    overrides = parsed(words)
    for word, override in zip(words, overrides, strict=True):
        if override.is_delete() or override.is_sweep_override():
            raise UsageError(f"{word} does not say one value of one key", fix="KEY=VALUE")
    return {override.key_or_group: override.value() for override in overrides}


def word_of(override: Override) -> str:
    """The word as Hydra wants it."""
    key = override.get_key_element()
    return key if override.value_type is None else f"{key}={override.get_value_string()}"


def refuse_unknown_options(chosen: Sequence[tuple[str, object]], folders: Sequence[Path]) -> None:
    """Name all choices that are none, each a group and a value, with what may be meant.

    Raises:
        UsageError: a group has no such option.
    """
    wrong = [pair for pair in chosen if not configs.is_option(*pair, folders)]
    refusals = [no_such_option(group, str(value), folders) for group, value in wrong]
    if len(refusals) == 1:
        raise refusals[0]
    if refusals:
        lines = [f"{refusal.what}; {refusal.fix.splitlines()[0]}" for refusal in refusals]
        raise UsageError(
            f"{len(lines)} words name options that do not exist", where="\n".join(lines)
        )


def no_such_option(group: str, option: str, folders: Sequence[Path]) -> UsageError:
    """What is said of an option that a group does not have, with the one that may be meant."""
    known = configs.options(group, folders)
    near = meant_option(group, option, folders)
    return UsageError(
        f"{group}={option}: there is no such option",
        fix="\n".join([*([near] if near else []), ", ".join(known)]),
    )


def alternatives(override: Override, folders: Sequence[Path]) -> list[str]:
    """The values of a choice, a range or a glob over a group, each as it is typed."""
    glob = override.value()
    if isinstance(glob, Glob):
        return glob.filter(configs.options(override.key_or_group, folders))
    return list(override.sweep_string_iterator())


def _read(parser: OverridesParser, word: str, folders: Sequence[Path]) -> Override:
    _refuse_word_for_hydra(word)
    key, equals, value = word.lstrip("+").partition("=")
    if not equals and not key.startswith("~"):
        near = meant_words(word, folders) or "for example head=svm or seed=1"
        raise UsageError(f"{word} is not of the form key=value", fix=near)
    if key == "dataset" and not configs.is_option(key, value, folders) and as_dataset(value):
        # Before Hydra reads it, whose grammar has no place for some paths.
        raise no_such_option(key, value, folders)
    _refuse_deep(key, value)
    try:
        (override,) = parser.parse_overrides([word])
    except OverrideParseException as error:
        raise UsageError(
            f"{key}={value} cannot be read", why=error.message.splitlines()[0],
            fix=f"quotes inside the word: '{key}=\"{value}\"'",
        ) from None  # fmt: skip
    except ValueError as error:  # a number of thousands of digits
        raise UsageError(f"the value of {key} cannot be read", why=str(error)) from None
    return override


def _refuse_deep(key: str, value: str) -> None:
    """Hydra would read brackets within brackets until Python gives up."""
    depth = deepest = 0
    for letter in value:
        depth += (letter in "([{") - (letter in ")]}")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise UsageError(
            f"the value of {key} cannot be read", why=f"{deepest} brackets within each other",
            fix=f"quotes inside the word: '{key}=\"...\"', if it is one text",
        )  # fmt: skip


def _group_or_key(override: Override, word: str, folders: Sequence[Path]) -> Override:
    if override.is_delete():
        return override
    group = override.key_or_group.replace(".", "/")
    if configs.is_group(group, folders):
        return replace(override, key_or_group=group)
    if "/" in override.key_or_group or override.package is not None:
        known = configs.groups(folders)
        raise UsageError(
            f"there is no group {group}", where=word,
            fix=did_you_mean(group, known) or ", ".join(known),
        )  # fmt: skip
    return replace(override, type=OverrideType.FORCE_ADD)


def _refuse_word_for_hydra(word: str) -> None:
    typed = word.lstrip("+~")
    if typed.startswith(("hydra.", "hydra/")):
        instead = [fix for start, fix in _INSTEAD.items() if typed.startswith(start)]
        raise UsageError(
            f"{word} is not offered", why="Hydra only composes the config here",
            fix=instead[0] if instead else "",
        )  # fmt: skip
