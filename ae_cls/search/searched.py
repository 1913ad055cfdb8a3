"""The words of a search: those that name several values, and those that all trials share.

Beside the room `words` it alone knows types of Hydra: those of its grammar for several values.
"""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep

from ae_cls.errors import UsageError
from ae_cls.search.space import Choice, Interval, Space, Steps, Values
from ae_cls.words.read import alternatives, parsed


def searched(words: Sequence[str], folders: Sequence[Path] = ()) -> tuple[Space, tuple[str, ...]]:
    """What may be chosen, and the words that all trials share, as they were typed.

    Args:
        words: of the search, as the user types them.
        folders: the user's own option folders.

    Raises:
        UsageError: no word names several values, or one names what cannot be drawn from.
    """
    overrides = parsed(words, folders)
    several = sorted((word for word in overrides if word.is_sweep_override()), key=_key)
    if not several:
        raise UsageError(
            "there is nothing to search", why="no word names several values",
            fix="for example 'head.C=tag(log, interval(0.01, 10))' autoencoder.latent_dim=32,64",
        )  # fmt: skip
    keys = [_key(word) for word in overrides]
    for override in several:
        if keys.count(_key(override)) > 1:
            raise UsageError(f"{_key(override)} is given twice", where=_typed(override))
    space = Space({_key(override): _values(override, folders) for override in several})
    return space, tuple(_typed(word) for word in overrides if word not in several)


def _key(override: Override) -> str:
    return override.get_key_element().lstrip("+")


def _typed(override: Override) -> str:
    assert override.input_line is not None
    return override.input_line


def _values(override: Override, folders: Sequence[Path]) -> Values:
    value = override.value()
    tags = value.tags if isinstance(value, Sweep) else set[str]()
    if tags - {"log"}:
        raise _wrong(override, "the only tag is log", "tag(log, interval(0.01, 10))")
    try:
        if isinstance(value, IntervalSweep):
            assert value.start is not None and value.end is not None
            return Interval(value.start, value.end, log="log" in tags)
        if isinstance(value, RangeSweep):
            assert value.start is not None and value.stop is not None
            return Steps.between(value.start, value.stop, value.step, log="log" in tags)
    except ValueError as error:
        raise _wrong(override, str(error)) from None
    if tags:
        raise _wrong(override, "a choice has no scale", "tag(log, interval(0.01, 10))")
    texts = tuple(dict.fromkeys(alternatives(override, folders)))
    if not texts:
        raise _wrong(override, "there is nothing to choose from")
    return Choice(texts)


def _wrong(override: Override, why: str, fix: str = "") -> UsageError:
    example = f"{_key(override)}={fix}" if fix else ""
    word = _typed(override).lstrip("+")
    return UsageError(f"{word} cannot be searched", why=why, fix=example)
