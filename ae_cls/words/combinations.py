"""The combinations that the words of a sweep name."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, prod
from pathlib import Path
from typing import final

from hydra.core.override_parser.types import Override, RangeSweep

from ae_cls.errors import UsageError
from ae_cls.experiment import configs
from ae_cls.words.read import alternatives, parsed, refuse_unknown_options, word_of


@final
@dataclass(frozen=True)
class Combination:
    """The words of one job.

    Attributes:
        own: those that are not the same in all combinations, as a user types them.
        words: all of them.
    """

    own: tuple[str, ...]
    words: tuple[str, ...]


def combinations(words: Sequence[str], folders: Sequence[Path] = ()) -> list[Combination]:
    """The product of all choices, ranges and globs, the last word varying fastest.

    Args:
        words: `group=option` and `key=value`, as the user types them.
        folders: the user's own option folders.

    Raises:
        UsageError: a word cannot be read, or names an interval.
    """
    # Of a key that is given twice the last word counts, in the place of the first.
    overrides = {override.get_key_element(): override for override in parsed(words, folders)}
    jobs = list(product(*(_values(override, folders) for override in overrides.values())))
    shared = set.intersection(*map(set, jobs))
    return [
        Combination(tuple(word.lstrip("+") for word in job if word not in shared), job)
        for job in jobs
    ]


def count_combinations(words: Sequence[str], folders: Sequence[Path] = ()) -> int:
    """How many jobs these words name, without making any of them.

    Raises:
        UsageError: a word cannot be read, or names an interval.
    """
    overrides = {override.get_key_element(): override for override in parsed(words, folders)}
    return prod(_count(override, folders) for override in overrides.values())


def _count(override: Override, folders: Sequence[Path]) -> int:
    value = override.value()
    if isinstance(value, RangeSweep):
        assert value.start is not None and value.stop is not None
        return max(0, ceil((value.stop - value.start) / value.step))
    return len(_values(override, folders))


def _values(override: Override, folders: Sequence[Path]) -> list[str]:
    """The word with each of its values."""
    if not override.is_sweep_override():
        return [word_of(override)]
    if override.is_interval_sweep():
        raise UsageError(
            "an interval holds more values than a sweep can try", where=override.input_line or "",
            fix="a search over it: ae-cls search run ...",
        )  # fmt: skip
    values = alternatives(override, folders)
    if configs.is_group(override.key_or_group, folders):
        refuse_unknown_options([(override.key_or_group, value) for value in values], folders)
    return [f"{override.get_key_element()}={value}" for value in values]
