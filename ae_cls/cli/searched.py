"""The words of a search: those that name several values, and those that all trials share."""

import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep

from ae_cls.cli.words import alternatives, parsed
from ae_cls.errors import UsageError
from ae_cls.search.space import Choice, Interval, Space, Steps, Values


def searched(words: Sequence[str], folders: Sequence[Path] = ()) -> tuple[Space, tuple[str, ...]]:
    """What may be chosen, and the words that all trials share, as they were typed.

    Args:
        words: of the search, as the user types them.
        folders: the user's own option folders.

    Raises:
        UsageError: no word names several values, or one names what cannot be drawn from.
    """
    overrides = parsed(words, folders)
    several = sorted((each for each in overrides if each.is_sweep_override()), key=_key)
    if not several:
        raise UsageError(
            "there is nothing to search", why="no word names several values",
            fix="for example 'head.C=tag(log, interval(0.01, 10))' autoencoder.latent_dim=32,64",
        )  # fmt: skip
    keys = [_key(each) for each in overrides]
    for override in several:
        if keys.count(_key(override)) > 1:
            raise UsageError(f"{_key(override)} is given twice", where=_typed(override))
    space = Space({_key(override): _values(override, folders) for override in several})
    return space, tuple(_typed(each) for each in overrides if each not in several)


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
    if isinstance(value, IntervalSweep):
        return _interval(override, value, log="log" in tags)
    if isinstance(value, RangeSweep):
        return _steps(override, value, log="log" in tags)
    if tags:
        raise _wrong(override, "a choice has no scale", "tag(log, interval(0.01, 10))")
    texts = tuple(dict.fromkeys(alternatives(override, folders)))
    if not texts:
        raise _wrong(override, "there is nothing to choose from")
    return Choice(texts)


def _interval(override: Override, value: IntervalSweep, *, log: bool) -> Interval:
    low, high = value.start, value.end
    assert low is not None and high is not None
    if not (math.isfinite(low) and math.isfinite(high)):
        raise _wrong(override, "its ends must be finite")
    if low >= high:
        raise _wrong(override, "its first number must be below the second")
    if log and low <= 0:
        raise _wrong(override, "on a logarithmic scale its numbers must be above 0")
    return Interval(low, high, log)


def _steps(override: Override, value: RangeSweep, *, log: bool) -> Steps:
    assert value.start is not None and value.stop is not None
    given = (value.start, value.stop, value.step)
    if not all(math.isfinite(number) for number in given) or value.step == 0:
        raise _wrong(override, "its numbers must be finite and its step not 0")
    numbers = sorted(_numbers(*given))
    if not numbers:
        raise _wrong(override, "no number is in it")
    if log and (value.step != 1 or isinstance(numbers[0], float) or numbers[0] < 1):
        raise _wrong(
            override, "on a logarithmic scale only whole numbers from 1 on, in steps of 1",
            "tag(log, interval(a, b))",
        )  # fmt: skip
    return Steps(tuple(numbers), abs(value.step), log)


def _numbers(start: int | float, stop: int | float, step: int | float) -> list[int] | list[float]:
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        return list(range(start, stop, step))
    # Decimal, as 0.1 + 0.1 + 0.1 is 0.30000000000000004 otherwise.
    first, last, each = (Decimal(str(number)) for number in (start, stop, step))
    count = max(0, math.ceil((last - first) / each))
    return [float(first + number * each) for number in range(count)]


def _wrong(override: Override, why: str, fix: str = "") -> UsageError:
    example = f"{_key(override)}={fix}" if fix else ""
    word = _typed(override).lstrip("+")
    return UsageError(f"{word} cannot be searched", why=why, fix=example)
