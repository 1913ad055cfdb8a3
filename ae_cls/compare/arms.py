"""Runs sorted into arms, which are ways of classifying, and cells, on which arms can be paired."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple, final

import numpy as np

from ae_cls.compare.runs import FinishedRun, Unreadable
from ae_cls.evaluate.paired import (
    Comparison,
    Numbers,
    compare,
    compare_differences,
    compare_splits,
    means_of_draws,
)
from ae_cls.store.key import flat

Words = Callable[[Mapping[str, Any]], tuple[str, ...]]
"""Of a config: the words that make it."""


class Cell(NamedTuple):
    """What two runs must have in common to be a pair; `draw` is None where all labels are shown."""

    test_sha256: str
    budget: str
    draw: int | None
    seed: int


def cell_of(run: FinishedRun) -> Cell:
    """Where a run stands."""
    draw = None if run.budget == "all labels" else run.draw
    return Cell(run.test_sha256, run.budget, draw, run.seed)


@final
@dataclass(frozen=True)
class Arm:
    """A way of classifying, and its runs.

    Attributes:
        name: as a study calls it, or the words in which it differs from the other arms.
        runs: one a cell.
    """

    name: str
    runs: Mapping[Cell, FinishedRun]

    @property
    def any_run(self) -> FinishedRun:
        """Of its runs, the first."""
        return next(iter(self.runs.values()))

    @property
    def is_pretrained(self) -> bool:
        """Whether a network learnt from images without labels."""
        return self.any_run.is_pretrained

    @property
    def supervised_prior(self) -> str:
        """What the network knew before, perhaps from labels; empty where it began at random."""
        return self.any_run.metrics["protocol"].get("supervised_prior", "")

    @property
    def network(self) -> object:
        """Equal for arms of the same network."""
        return self.any_run.config["autoencoder"]

    def at(self, budget: str) -> dict[Cell, FinishedRun]:
        """Its runs with so many labels."""
        return {cell: run for cell, run in self.runs.items() if cell.budget == budget}


def arms_of(runs: Sequence[FinishedRun], words: Words) -> list[Arm]:
    """The arms, by name; of equal runs the first counts."""
    by_method: dict[str, list[FinishedRun]] = defaultdict(list)
    for run in runs:
        by_method[run.arm or repr(sorted(flat(run.method).items()))].append(run)
    named = _named({key: found[0] for key, found in by_method.items()}, words)
    return sorted(
        (Arm(named[key], _first_of_each_cell(found)) for key, found in by_method.items()),
        key=lambda arm: arm.name,
    )


def _first_of_each_cell(runs: Sequence[FinishedRun]) -> dict[Cell, FinishedRun]:
    cells: dict[Cell, FinishedRun] = {}
    for run in runs:
        cells.setdefault(cell_of(run), run)
    return cells


def unpaired(arms: Sequence[Arm]) -> list[Unreadable]:
    """The runs beside which no other arm has one, each with what the nearest others differ in."""
    return [
        Unreadable(run.folder, _lacking(cell, [c for other in arms if other is not arm
                                               for c in other.runs]))
        for arm in arms
        for cell, run in arm.runs.items()
        if not any(cell in other.runs for other in arms if other is not arm)
    ]  # fmt: skip


def compared(one: Arm, other: Arm, budget: str) -> Comparison | None:
    """How much better the first is with so many labels; None without a pair."""
    ours, theirs = one.at(budget), other.at(budget)
    cells = sorted(set(ours) & set(theirs), key=str)
    if not cells:
        return None
    if len({cell.test_sha256 for cell in cells}) > 1:
        return _over_splits(cells, ours, theirs)
    units = ours[cells[0]].units
    first, second = (np.stack([runs[cell].correct for cell in cells]) for runs in (ours, theirs))
    return compare(first, second, units, seed=0, draws=draws_of(cells))


def accuracy_of(arm: Arm, budget: str) -> Comparison:
    """The mean accuracy with so many labels, as if compared with none right."""
    runs = arm.at(budget)
    cells = sorted(runs, key=str)
    if len({cell.test_sha256 for cell in cells}) > 1:
        return _over_splits(cells, runs, None)
    return compare_differences(answers_of(arm, cells), runs[cells[0]].units)


def answers_of(arm: Arm, cells: Sequence[Cell]) -> np.ndarray:
    """A row a draw: right or not, or the mean of that over seeds, for each test image."""
    rows = np.stack([arm.runs[cell].correct for cell in cells]).astype(np.float64)
    return means_of_draws(rows, draws_of(cells))


def draws_of(cells: Sequence[Cell]) -> Numbers:
    """A number for each cell: of its draw of labels, or of its seed where draws do not differ."""
    drawn = [cell.draw for cell in cells]
    of = drawn if len(set(drawn)) > 1 else [cell.seed for cell in cells]
    numbers = {value: place for place, value in enumerate(dict.fromkeys(of))}
    return np.array([numbers[value] for value in of], np.int64)


def _over_splits(
    cells: Sequence[Cell],
    ours: Mapping[Cell, FinishedRun],
    theirs: Mapping[Cell, FinishedRun] | None,
) -> Comparison:
    by_test: dict[str, list[float]] = defaultdict(list)
    for cell in cells:
        other = theirs[cell].accuracy if theirs else 0.0
        by_test[cell.test_sha256].append(ours[cell].accuracy - other)
    differences = np.array([np.mean(values) for values in by_test.values()])
    n_test = float(np.mean([len(ours[cell].correct) for cell in cells]))
    return compare_splits(differences, n_train=n_test * _learnt(ours[cells[0]]), n_test=n_test)


def _learnt(run: FinishedRun) -> float:
    """Rows left for learning by a split of all labelled rows, for each row that it tests on."""
    split = run.config["split"]
    if split.get("folds"):
        return split["folds"] - 1.0
    return (1 - split["test_fraction"]) / split["test_fraction"]


def _named(methods: Mapping[str, FinishedRun], words: Words) -> dict[str, str]:
    """A name for each method: a study's, or the fewest of its words that no other method has."""
    said = {key: words(run.method) for key, run in methods.items() if not run.arm}
    shared = set[str].intersection(*map(set, said.values())) if len(said) > 1 else set[str]()
    own = {key: [word for word in one if word not in shared] for key, one in said.items()}
    named = {key: run.arm or _in_short(_telling(own, key)) for key, run in methods.items()}
    assert len(set(named.values())) == len(named), "two methods have one name"
    return named


def _telling(own: Mapping[str, Sequence[str]], key: str) -> Sequence[str]:
    """The network, where words name it, and as few more as tell this method from the others."""
    others = [set(words) for other, words in own.items() if other != key]
    network = [word for word in own[key] if word.startswith("autoencoder=")]
    rest = [word for word in own[key] if word not in network]
    for count in range(len(rest) + 1):
        for more in combinations(rest, count):
            chosen = [*network, *more]
            if chosen and not any(set(chosen) <= other for other in others):
                return chosen
    return own[key]


def _in_short(words: Sequence[str]) -> str:
    """`hog + svm` for what nobody takes for something else, other words as they are."""
    short = [word.removeprefix("autoencoder=").removeprefix("head=") for word in words]
    return " + ".join(short) or "default words"


def _lacking(cell: Cell, others: Sequence[Cell]) -> str:
    """In what a cell differs from those of other arms that are nearest to it."""
    if not others:
        return "there is no other way of classifying to compare it with"
    titles = ("other test images", "another number of labels", "another draw of labels",
              "another seed")  # fmt: skip
    differs = min(([a != b for a, b in zip(cell, other, strict=True)] for other in others), key=sum)
    said = [title for title, is_other in zip(titles, differs, strict=True) if is_other]
    return f"the nearest run of another way has {' and '.join(said)}"
