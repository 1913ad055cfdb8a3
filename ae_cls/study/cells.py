"""What a study consists of: a cell is one run of one arm."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from ae_cls.study.arms import Arm
from ae_cls.study.budgets import Budget


@final
@dataclass(frozen=True)
class Extent:
    """How much is compared.

    Attributes:
        arms: each on the same cells.
        budgets: of labels, all labels last.
        draws: draws of labels at each budget, where there is one split.
        more_draws: of the arms that leave the encoder as it is, by the title of a budget.
        frozen: names of those arms.
        networks: which network an arm pretrains, by its name; arms that are not here pretrain none.
        only: titles of the budgets on which an arm is compared, by its name; arms that are not here
            are compared on all.
        seeds: networks.
        folds: test parts that the labelled images are divided into; None: one split.
        repeats: such divisions; 1 without folds.
    """

    arms: tuple[Arm, ...]
    budgets: tuple[Budget, ...]
    draws: int
    seeds: int
    folds: int | None
    repeats: int
    more_draws: Mapping[str, int] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()
    networks: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def arms_on(self, budget: Budget) -> list[Arm]:
        """What is compared on so many labels."""
        return [
            arm
            for arm in self.arms
            if arm.name not in self.only or budget.title in self.only[arm.name]
        ]

    @property
    def count(self) -> int:
        """How many cells it has, without making them: a slip of the finger asks for millions."""
        of_budgets = sum(self._runs_on(budget) for budget in self.budgets)
        return self.seeds * of_budgets * (self.repeats * self.folds if self.folds else 1)

    def _runs_on(self, budget: Budget) -> int:
        """With one seed and, where there are folds, in one of them."""
        arms = self.arms_on(budget)
        if budget.is_all or self.folds is not None:
            return len(arms)
        frozen = sum(arm.name in self.frozen for arm in arms)
        return self.draws * len(arms) + self.more_draws.get(budget.title, 0) * frozen

    def is_part_of(self, whole: "Extent") -> bool:
        """Whether it is as much as another at most, and anything at all."""
        return (
            bool(self.arms and self.budgets)
            and {*self.arms} <= {*whole.arms}
            and {*self.budgets} <= {*whole.budgets}
            and 1 <= self.draws <= whole.draws
            and 1 <= self.repeats <= whole.repeats
        )


@final
@dataclass(frozen=True)
class Cell:
    """One run.

    Attributes:
        arm: what is run.
        budget: on how many labels.
        draw: of the labels; None where all are shown.
        seed: of the run, counted from that of the study.
        repeat: division into folds.
        fold: test part; None: the one split that there is.
    """

    arm: Arm
    budget: Budget
    draw: int | None
    seed: int
    repeat: int = 0
    fold: int | None = None

    @property
    def is_first(self) -> bool:
        """Whether it is on the first draw, seed and split."""
        return not any((self.draw, self.seed, self.repeat, self.fold))

    @property
    def split(self) -> tuple[int, int | None]:
        """Equal for cells that pretrain on the same images."""
        return self.repeat, self.fold


def cells_of(extent: Extent) -> list[Cell]:
    """In the order in which they are run: one draw of everything, then the next.

    So that what a study has when it is stopped can be compared; all labels, the longest, come after
    all draws, and draws that not every arm has come last. Of a draw those come first that pretrain
    a network, and last those that would wait for it.
    """
    if extent.folds is None:
        return list(_on_one_split(extent))
    return list(_on_folds(extent, extent.folds))


def pretraining_of(cells: Sequence[Cell], networks: Mapping[str, str]) -> dict[Cell, str]:
    """Networks, by the first of the cells that need them: others wait for it.

    Args:
        cells: in the order in which they are run.
        networks: which network an arm pretrains, by its name.
    """
    first: dict[tuple[str, int, tuple[int, int | None]], Cell] = {}
    for cell in cells:
        if (network := networks.get(cell.arm.name)) is not None:
            first.setdefault((network, cell.seed, cell.split), cell)
    return {cell: network for (network, _, _), cell in first.items()}


def _on_one_split(extent: Extent) -> Iterator[Cell]:
    drawn = [budget for budget in extent.budgets if not budget.is_all]
    for draw in range(extent.draws):
        for seed in range(extent.seeds):
            cells = [
                Cell(arm, budget, draw, seed) for budget in drawn for arm in extent.arms_on(budget)
            ]
            yield from _networks_first(cells, extent.networks)
    for seed in range(extent.seeds):
        for budget in extent.budgets:
            if budget.is_all:
                yield from (Cell(arm, budget, None, seed) for arm in extent.arms_on(budget))
    yield from _of_frozen_arms(extent, drawn)


def _of_frozen_arms(extent: Extent, drawn: Sequence[Budget]) -> Iterator[Cell]:
    more = {budget: extent.more_draws.get(budget.title, 0) for budget in drawn}
    for draw in range(max(more.values(), default=0)):
        for seed in range(extent.seeds):
            for budget in (budget for budget in drawn if draw < more[budget]):
                frozen = (arm for arm in extent.arms_on(budget) if arm.name in extent.frozen)
                yield from (Cell(arm, budget, extent.draws + draw, seed) for arm in frozen)


def _on_folds(extent: Extent, folds: int) -> Iterator[Cell]:
    """Other labels are drawn in each division; within one the folds differ as it is."""
    for repeat in range(extent.repeats):
        for fold in range(folds):
            for seed in range(extent.seeds):
                cells = [
                    Cell(arm, budget, None if budget.is_all else repeat, seed, repeat, fold)
                    for budget in extent.budgets
                    for arm in extent.arms_on(budget)
                ]
                yield from _networks_first(cells, extent.networks)


def _networks_first(cells: Sequence[Cell], networks: Mapping[str, str]) -> list[Cell]:
    """The first cell of each network, then those that need none, then the others."""
    first = pretraining_of(cells, networks)

    def turn(cell: Cell) -> int:
        return 1 if cell.arm.name not in networks else 0 if cell in first else 2

    return sorted(cells, key=turn)
