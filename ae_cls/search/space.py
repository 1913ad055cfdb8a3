"""What a search may choose: values for each key that is searched, and what Optuna draws from."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
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

    @classmethod
    def between(
        cls, start: int | float, stop: int | float, step: int | float, *, log: bool
    ) -> "Steps":
        """From `start` on, without `stop`.

        Raises:
            ValueError: there is nothing to draw from, or not on that scale.
        """
        if not all(map(math.isfinite, (start, stop, step))) or step == 0:
            raise ValueError("its numbers must be finite and its step not 0")
        numbers = sorted(_numbers(start, stop, step))
        if not numbers:
            raise ValueError("no number is in it")
        if log and (step != 1 or isinstance(numbers[0], float) or numbers[0] < 1):
            raise ValueError(
                "on a logarithmic scale only whole numbers from 1 on, in steps of 1; "
                "any other are drawn by tag(log, interval(a, b))"
            )
        return cls(tuple(numbers), abs(step), log)

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

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError("its ends must be finite")
        if self.low >= self.high:
            raise ValueError("its first number must be below the second")
        if self.log and self.low <= 0:
            raise ValueError("on a logarithmic scale its numbers must be above 0")

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


def _numbers(start: int | float, stop: int | float, step: int | float) -> list[int] | list[float]:
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        return list(range(start, stop, step))
    # Decimal, as 0.1 + 0.1 + 0.1 is 0.30000000000000004 otherwise.
    first, last, gap = (Decimal(str(number)) for number in (start, stop, step))
    count = max(0, math.ceil((last - first) / gap))
    return [float(first + number * gap) for number in range(count)]
