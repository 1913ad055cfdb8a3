"""What a search may choose: values for each key that is searched, and what Optuna draws from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

Drawn = str | int | float
"""A value as Optuna keeps it."""

_DIGITS = 4  # of a number from an interval: words that a person can retype


class Values(ABC):
    """The contract of the values that may stand behind a searched key."""

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
    """All that a search may choose.

    Attributes:
        dimensions: the values of each key, by code point.
    """

    dimensions: Mapping[str, Values]

    def distributions(self) -> dict[str, BaseDistribution]:
        """What Optuna draws from, by key."""
        return {key: values.distribution() for key, values in self.dimensions.items()}

    def words(self, drawn: Mapping[str, Drawn]) -> tuple[str, ...]:
        """The words of a trial as the user would type them."""
        return tuple(f"{key}={values.text(drawn[key])}" for key, values in self.dimensions.items())

    def probes(self) -> list[tuple[str, ...]]:
        """Trials that have each value to try at least once, with the first of the others."""
        first = {key: values.probes()[0] for key, values in self.dimensions.items()}
        changed = [first] + [
            {**first, key: text}
            for key, values in self.dimensions.items()
            for text in values.probes()[1:]
        ]
        return [tuple(f"{key}={text}" for key, text in trial.items()) for trial in changed]
