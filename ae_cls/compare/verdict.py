"""Whether pretraining helped, by how much, and what to use: from finished runs to claims."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, final

import numpy as np

from ae_cls.compare.arms import Arm, Words, accuracy_of, answers_of, arms_of, compared, unpaired
from ae_cls.compare.runs import FinishedRun, Unreadable
from ae_cls.evaluate.claims import FEWEST_DRAWS, LEVEL, Claim, claims, further_draws
from ae_cls.evaluate.label_worth import LabelWorth, label_worth
from ae_cls.evaluate.paired import Comparison, compare_differences
from ae_cls.evaluate.ranks import shared_ranks
from ae_cls.evaluate.winners import Contest, Winners, winners


@final
@dataclass(frozen=True)
class Versus:
    """A pretrained arm against a control at one budget.

    Attributes:
        budget: for people.
        pretrained: the name of the one.
        control: the name of the other.
        is_twin: whether the control is the same network without pretraining.
        comparison: the pretrained one less the control.
        claim: what may be said of it, adjusted for all comparisons of the verdict, or implied by
            one side's being better than all of the other.
        further: draws more that would separate the two, at the level of a question; None if no
            number would.
    """

    budget: str
    pretrained: str
    control: str
    is_twin: bool
    comparison: Comparison
    claim: Claim
    further: int | None


@final
@dataclass(frozen=True)
class Row:
    """An arm at a budget.

    Attributes:
        arm: its name.
        budget: for people.
        labels: their mean number.
        accuracy: mean over its runs, with its interval.
        rank: shared by arms that cannot be told apart; None where there are no pairs for it, or
            the network knew labels of other images that those of other arms did not.
        runs: how many.
        against: the comparison with the leading pretrained arm; None for that one, or unpaired.
    """

    arm: Arm
    budget: str
    labels: float
    accuracy: Comparison
    rank: int | None
    runs: tuple[FinishedRun, ...]
    against: Versus | None


@final
@dataclass(frozen=True)
class Verdict:
    """All that is known of one data set.

    Attributes:
        dataset: its word.
        data_sha256: which images and labels.
        budgets: for people, the smallest first.
        arms: all, by name.
        versus: each pretrained arm against each control at each budget, where there are pairs.
        rows: each arm at each budget, the best first.
        leading: of the pretrained arms the most accurate, by budget.
        best_control: the most accurate control, by budget.
        winners: which arms are better than all of the other side, by budget.
        worth: what the labels of each budget are worth with pretraining, by budget.
        worth_of: the arm in whose labels that is counted.
        unpaired: runs that stand alone, and why.
    """

    dataset: str
    data_sha256: str
    budgets: tuple[str, ...]
    arms: tuple[Arm, ...]
    versus: tuple[Versus, ...]
    rows: tuple[Row, ...]
    leading: Mapping[str, Arm]
    best_control: Mapping[str, Arm]
    winners: Mapping[str, Winners]
    worth: Mapping[str, LabelWorth]
    worth_of: str
    unpaired: tuple[Unreadable, ...]

    def at(self, budget: str) -> list[Versus]:
        """The comparisons with so many labels."""
        return [one for one in self.versus if one.budget == budget]

    def won(self, budget: str) -> Winners:
        """Who wins with so many labels."""
        return self.winners.get(budget, Winners({}, {}, {}))

    def row(self, arm: str, budget: str) -> Row:
        """Of an arm that has runs with so many labels."""
        return next(r for r in self.rows if (r.arm.name, r.budget) == (arm, budget))


def verdict(runs: Sequence[FinishedRun], *, words: Words) -> Verdict:
    """The verdict of runs on one data set: every arm that was pretrained, against every other one.

    Args:
        runs: all with the same `data_sha256`, one at least.
        words: that make a config, by which arms without a name are told apart.
    """
    arms = arms_of(runs, words)
    asked = [arm for arm in arms if arm.is_pretrained]
    others = [arm for arm in arms if not arm.is_pretrained]
    budgets = _budgets(runs)
    compared_pairs = _compared(asked, others, budgets)
    won = _winners(compared_pairs)
    versus = _all_versus(compared_pairs, won)
    leading, control = (
        {budget: arm for budget in budgets if (arm := _most_accurate(side, budget))}
        for side in (asked, others)
    )
    worth_of = _worth_of(asked, others, [budget for budget in budgets if budget in leading])
    first = runs[0]
    return Verdict(
        first.config["dataset"]["name"], first.data_sha256, budgets, tuple(arms), versus,
        tuple(_rows(arms, budgets, versus, leading)), leading, control, won,
        _worths(worth_of, leading, budgets), worth_of.name if worth_of else "",
        tuple(unpaired(arms)),
    )  # fmt: skip


def _budgets(runs: Sequence[FinishedRun]) -> tuple[str, ...]:
    labels: dict[str, list[int]] = {}
    for run in runs:
        labels.setdefault(run.budget, []).append(run.labels)
    return tuple(sorted(labels, key=lambda budget: (np.mean(labels[budget]), budget)))


class _Found(NamedTuple):
    budget: str
    ours: Arm
    theirs: Arm
    comparison: Comparison

    @property
    def is_twin(self) -> bool:
        return self.ours.network == self.theirs.network


def _compared(asked: Sequence[Arm], others: Sequence[Arm], budgets: Sequence[str]) -> list[_Found]:
    return [
        _Found(budget, ours, theirs, comparison)
        for budget in budgets
        for ours in asked
        for theirs in others
        if (comparison := compared(ours, theirs, budget))
    ]


def _winners(found: Sequence[_Found]) -> dict[str, Winners]:
    by_budget: dict[str, list[_Found]] = {}
    for one in found:
        by_budget.setdefault(one.budget, []).append(one)
    return dict(
        zip(by_budget, winners([_contest(here) for here in by_budget.values()]), strict=True)
    )


def _contest(found: Sequence[_Found]) -> Contest:
    pairs = {(one.ours.name, one.theirs.name): one for one in found}
    return Contest(
        {pair: one.comparison for pair, one in pairs.items()},
        frozenset(pair for pair, one in pairs.items() if one.is_twin),
    )


def _all_versus(found: Sequence[_Found], won: Mapping[str, Winners]) -> tuple[Versus, ...]:
    said = claims([one.comparison for one in found])
    questions = len({(one.budget, one.ours.name) for one in found})
    return tuple(
        Versus(
            one.budget, one.ours.name, one.theirs.name, one.is_twin, one.comparison,
            _implied(one, won[one.budget]) or claim,
            further_draws(one.comparison, LEVEL / questions),
        )
        for one, claim in zip(found, said, strict=True)
    )  # fmt: skip


def _implied(one: _Found, won: Winners) -> Claim | None:
    """What is better than all of the other side is better than each of it."""
    wins = [won.over_controls.get(one.ours.name), won.controls.get(one.theirs.name)]
    wins += [won.over_twins.get(one.ours.name)] if one.is_twin else []
    surest = min(filter(None, wins), key=lambda win: win.p, default=None)
    if surest is None:
        return None
    word = "helps" if one.comparison.difference > 0 else "hurts"
    return Claim(word, surest.p, *one.comparison.interval(1 - surest.level))


def _most_accurate(arms: Sequence[Arm], budget: str) -> Arm | None:
    there = [arm for arm in arms if arm.at(budget)]
    return max(there, key=lambda arm: accuracy_of(arm, budget).difference, default=None)


def _rows(
    arms: Sequence[Arm],
    budgets: Sequence[str],
    versus: Sequence[Versus],
    leading: Mapping[str, Arm],
) -> list[Row]:
    rows: list[Row] = []
    for budget in budgets:
        there = [arm for arm in arms if arm.at(budget)]
        ranks = _ranks([arm for arm in there if not arm.supervised_prior] or there, budget)
        lead = leading[budget].name if budget in leading else ""
        against = {
            one.control: one for one in versus if one.budget == budget and one.pretrained == lead
        }
        here = [_row(arm, budget, ranks.get(arm.name), against.get(arm.name)) for arm in there]
        rows += sorted(here, key=lambda row: -row.accuracy.difference)
    return rows


def _row(arm: Arm, budget: str, rank: int | None, against: Versus | None) -> Row:
    runs = tuple(arm.at(budget).values())
    labels = float(np.mean([run.labels for run in runs]))
    return Row(arm, budget, labels, accuracy_of(arm, budget), rank, runs, against)


def _ranks(arms: Sequence[Arm], budget: str) -> dict[str, int]:
    """Empty where some arms have no pairs: a rank says something of all."""
    pairs = {
        (first.name, second.name): comparison
        for first, second in combinations(arms, 2)
        if (comparison := compared(first, second, budget))
    }
    if len(pairs) < len(arms) * (len(arms) - 1) // 2 or not pairs:
        return {}
    if any(one.pairs < FEWEST_DRAWS for one in pairs.values()):
        return {}
    return shared_ranks([arm.name for arm in arms], pairs)


def _worth_of(asked: Sequence[Arm], others: Sequence[Arm], budgets: Sequence[str]) -> Arm | None:
    """The arm in whose labels the worth is counted: the best twin, else the best control.

    The best by the number of budgets at which it is the most accurate.
    """
    networks = [arm.network for arm in asked]
    twins = [arm for arm in others if arm.network in networks]
    best = [_most_accurate(twins or others, budget) for budget in budgets]
    names = [arm.name for arm in best if arm]
    if not names:
        return None
    most = max(dict.fromkeys(names), key=names.count)
    return next(arm for arm in others if arm.name == most)


def _worths(
    other: Arm | None, leading: Mapping[str, Arm], budgets: Sequence[str]
) -> dict[str, LabelWorth]:
    """Only where the same draws and test images were used at several budgets."""
    worths: dict[str, LabelWorth] = {}
    for budget, arm in leading.items():
        if other is None or not (worth := _worth(arm, other, budget, budgets)):
            continue
        worths[budget] = worth
    return worths


def _worth(arm: Arm, other: Arm, budget: str, budgets: Sequence[str]) -> LabelWorth | None:
    ours = arm.at(budget)
    keys = {(cell.test_sha256, cell.draw, cell.seed) for cell in ours}
    curve: dict[int, np.ndarray] = {}
    for each in budgets:
        cells = [c for c in other.at(each) if (c.test_sha256, c.draw, c.seed) in keys]
        if len(cells) == len(keys):
            cells = sorted(cells, key=lambda c: (c.test_sha256, str(c.draw), c.seed))
            curve[other.runs[cells[0]].labels] = answers_of(other, cells)
    one_test = len({test for test, *_ in keys}) == 1
    if len(curve) < 2 or not one_test or len({draw for _, draw, _ in keys}) < FEWEST_DRAWS:
        return None
    cells = sorted(ours, key=lambda c: (c.test_sha256, str(c.draw), c.seed))
    units = ours[cells[0]].units
    return label_worth(
        ours[cells[0]].labels, answers_of(arm, cells), curve,
        lambda rows: compare_differences(rows, units),
    )  # fmt: skip
