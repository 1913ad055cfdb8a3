"""What a search may choose: a dimension for each word that names several values."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import final

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from ae_cls.errors import UsageError

Drawn = str | int | float
"""A value as Optuna keeps it."""

_DIGITS = 4  # of a number from an interval: words that a person can retype


class Values(ABC):
    """The contract of what may stand behind a searched key."""

    @abstractmethod
    def distribution(self) -> BaseDistribution:
        """What Optuna draws from."""

    @abstractmethod
    def text(self, drawn: Drawn) -> str:
        """A drawn value as it is typed."""

    @abstractmethod
    def probes(self) -> tuple[str, ...]:
        """The values to compose before the first trial: when these are right, all are."""


@final
@dataclass(frozen=True)
class Choice(Values):
    """Values without an order: `a,b`, `choice(a,b)` or `glob(*)`."""

    texts: tuple[str, ...]

    def distribution(self) -> BaseDistribution:
        return CategoricalDistribution(self.texts)

    def text(self, drawn: Drawn) -> str:
        return str(drawn)

    def probes(self) -> tuple[str, ...]:
        return self.texts


@final
@dataclass(frozen=True)
class Steps(Values):
    """Evenly spaced numbers, rising: `range(start, stop, step)`, without `stop`."""

    numbers: tuple[int, ...] | tuple[float, ...]
    step: int | float
    log: bool

    def distribution(self) -> BaseDistribution:
        low, high = self.numbers[0], self.numbers[-1]
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, step=int(self.step), log=self.log)
        return FloatDistribution(low, high, step=self.step)

    def text(self, drawn: Drawn) -> str:
        return str(min(self.numbers, key=lambda number: abs(number - float(drawn))))

    def probes(self) -> tuple[str, ...]:
        return str(self.numbers[0]), str(self.numbers[-1])


@final
@dataclass(frozen=True)
class Interval(Values):
    """Any number between two, whole where both are: `interval(a, b)`, `int(interval(a, b))`."""

    low: int | float
    high: int | float
    log: bool

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def distribution(self) -> BaseDistribution:
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def text(self, drawn: Drawn) -> str:
        if self.whole:
            return str(drawn)
        rounded = float(f"{drawn:.{_DIGITS}g}")
        return str(min(max(rounded, float(self.low)), float(self.high)))

    def probes(self) -> tuple[str, ...]:
        return str(self.low), str(self.high)


@final
@dataclass(frozen=True)
class Space:
    """All that a search may choose, by key, and the words that every trial shares.

    Attributes:
        dimensions: by key as the user types it, by code point.
        searched: the words that name several values, as Hydra wants them.
        fixed: words that all trials share, as Hydra wants them.
        hydra: words that are meant for Hydra itself.
        prefixes: what Hydra wants before each key: two plus signs where it is no group.
    """

    dimensions: Mapping[str, Values]
    searched: tuple[str, ...]
    fixed: tuple[str, ...]
    hydra: tuple[str, ...]
    prefixes: Mapping[str, str]

    def words(self, drawn: Mapping[str, Drawn]) -> tuple[str, ...]:
        """The words of a trial as the user would type them."""
        return tuple(f"{key}={each.text(drawn[key])}" for key, each in self.dimensions.items())

    def probes(self) -> list[tuple[str, ...]]:
        """Trials that have each value to try at least once, with the first of the others."""
        first = {key: each.probes()[0] for key, each in self.dimensions.items()}
        changed = [first] + [
            {**first, key: text}
            for key, each in self.dimensions.items()
            for text in each.probes()[1:]
        ]
        return [tuple(f"{key}={text}" for key, text in each.items()) for each in changed]

    def composable(self, words: Sequence[str]) -> list[str]:
        """Words of a trial with those that all share, as Hydra wants them."""
        own = [self.prefixes[word.partition("=")[0]] + word for word in words]
        return [*self.fixed, *own]


def space_of(words: Sequence[str], loader: ConfigLoader) -> Space:
    """Sort the words of a search, given as Hydra wants them.

    Raises:
        UsageError: no word names several values, or one names what cannot be drawn from.
        HydraException: a word cannot be read.
    """
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(words))
    hydra = tuple(_line(each) for each in parsed if each.is_hydra_override())
    own = [each for each in parsed if not each.is_hydra_override()]
    swept = sorted((each for each in own if each.is_sweep_override()), key=_key)
    if not swept:
        raise UsageError(
            "there is nothing to search", why="no word names several values",
            fix="for example 'head.C=tag(log, interval(0.01, 10))' autoencoder.latent_dim=32,64",
        )  # fmt: skip
    _refuse_twice(own, swept)
    return Space(
        dimensions={_key(each): _values(each) for each in swept},
        searched=tuple(map(_line, swept)),
        fixed=tuple(_line(each) for each in own if not each.is_sweep_override()),
        hydra=hydra,
        prefixes={_key(each): each.get_key_element().removesuffix(_key(each)) for each in swept},
    )


def _line(override: Override) -> str:
    assert override.input_line is not None
    return override.input_line


def _key(override: Override) -> str:
    return override.get_key_element().lstrip("+")


def _refuse_twice(own: Sequence[Override], swept: Sequence[Override]) -> None:
    keys = [_key(each) for each in own]
    for each in swept:
        if keys.count(_key(each)) > 1:
            raise UsageError(f"{_key(each)} is given twice", where=_typed(each))


def _values(override: Override) -> Values:
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
    texts = tuple(dict.fromkeys(override.sweep_string_iterator()))
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
    return UsageError(f"{_typed(override)} cannot be searched", why=why, fix=example)


def _typed(override: Override) -> str:
    return _line(override).lstrip("+")
