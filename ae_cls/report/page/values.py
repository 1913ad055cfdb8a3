"""What the page of a comparison says: values ready to be shown, which know no run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final


class Picture(NamedTuple):
    """A picture inside the page.

    Attributes:
        source: data URI.
        dark: the same for a dark page; empty where one serves both.
        title: what it shows; also its text for those who cannot see it.
    """

    source: str
    dark: str
    title: str


class Line(NamedTuple):
    """An arm at a budget, as a line of the table; numbers in per cent.

    Attributes:
        rank: shared by arms that cannot be told apart; empty where it is not known.
        arm: its name.
        accuracy: the mean.
        interval: 95 %, as `low to high`.
        difference: of the leading pretrained arm from it, with the adjusted interval.
        said: what may be said of that difference.
        runs: how many.
        leads: whether it is the leading pretrained arm.
    """

    rank: str
    arm: str
    accuracy: str
    interval: str
    difference: str
    said: str
    runs: int
    leads: bool


class Cost(NamedTuple):
    """What one run of an arm takes.

    Attributes:
        arm: its name.
        seconds: of computing, with what was kept from earlier runs.
        speed: images a second of pretraining.
        weights: numbers that the network has.
        accuracy: for it, in per cent.
    """

    arm: str
    seconds: str
    speed: str
    weights: str
    accuracy: str


class Table(NamedTuple):
    """All arms at one budget."""

    budget: str
    labels: str
    lines: Sequence[Line]


class ClassLine(NamedTuple):
    """How many images of a class two arms recognise, in per cent, and how many there are."""

    name: str
    pretrained: str
    control: str
    images: str


class Alone(NamedTuple):
    """A run that could not be paired or read, and why."""

    folder: str
    why: str


class Again(NamedTuple):
    """The one command that makes the runs of an arm again."""

    arm: str
    command: str


@final
@dataclass(frozen=True)
class Section:
    """What is said of one data set.

    Attributes:
        dataset: its word.
        headline: the verdict in one sentence.
        more: further sentences.
        curve: accuracy by labels; None with one budget.
        cost: accuracy by seconds.
        costs: the same as a table.
        tables: one a budget.
        classes: of the two arms named in `class_arms`.
        class_arms: a pretrained one and a control.
        pictures: confusion, reconstructions, samples, latent map, mistakes.
        facts: title and text of what was run on which data, with which versions.
        notes: what was noticed in the data.
        looks: how often the test part was read; empty where it was read once.
        alone: runs that could not be paired.
        again: commands.
        method: how the numbers were got, for those who ask.
    """

    dataset: str
    headline: str
    more: Sequence[str]
    curve: Picture | None
    cost: Picture | None
    costs: Sequence[Cost]
    tables: Sequence[Table]
    classes: Sequence[ClassLine]
    class_arms: tuple[str, str]
    pictures: Sequence[Picture]
    facts: Mapping[str, str]
    notes: Sequence[str]
    looks: str
    alone: Sequence[Alone]
    again: Sequence[Again]
    method: Sequence[str]


@final
@dataclass(frozen=True)
class Page:
    """The whole file: a section a data set, and what could not be read."""

    sections: Sequence[Section]
    unreadable: Sequence[Alone]
