"""Which methods of two sides win at each budget: better than all of the other side, or none.

That one method is better than *every* one of several is shown when each single comparison shows
it: no adjustment for their number is due (an intersection-union test: Berger 1982). So few
questions remain to be adjusted for, where adjusting each comparison for all others would ask of
five draws of labels what only thirty can show. What is adjusted for: whether each pretrained method
wins at each budget, and whether each control does. A pretrained method is first held against its
twins, and only if it beats them against all controls, at no further cost (Bretz, Maurer, Brannath &
Posch 2009, A graphical approach to sequentially rejective multiple test procedures). Each side has
half of the errors that are allowed. `scripts/simulate_verdict.py` shows how many are made.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

from ae_cls.evaluate.claims import FEWEST_DRAWS, LEVEL
from ae_cls.evaluate.paired import Comparison

Pair = tuple[str, str]
"""A pretrained method and a control, by name."""


@final
@dataclass(frozen=True)
class Contest:
    """The comparisons at one budget.

    Attributes:
        comparisons: the pretrained method less the control, for each pair.
        twins: pairs whose control is the same network without pretraining.
    """

    comparisons: Mapping[Pair, Comparison]
    twins: frozenset[Pair]

    @property
    def tested(self) -> dict[Pair, Comparison]:
        """Those with draws enough to claim anything."""
        return {pair: one for pair, one in self.comparisons.items() if one.pairs >= FEWEST_DRAWS}

    @property
    def ours(self) -> list[str]:
        """The pretrained methods that are tested."""
        return list(dict.fromkeys(pretrained for pretrained, _ in self.tested))

    @property
    def theirs(self) -> list[str]:
        """The controls that are tested."""
        return list(dict.fromkeys(control for _, control in self.tested))


class Win(NamedTuple):
    """How sure it is that a method is better than all of the other side.

    Attributes:
        p: two-sided, adjusted for the number of questions.
        level: at which each of its comparisons was tested, unadjusted.
    """

    p: float
    level: float


@final
@dataclass(frozen=True)
class Winners:
    """Who wins at one budget, by name.

    Attributes:
        over_twins: pretrained methods that are better than each of their twins.
        over_controls: pretrained methods that are better than every control.
        controls: those that are better than every pretrained method.
    """

    over_twins: Mapping[str, Win]
    over_controls: Mapping[str, Win]
    controls: Mapping[str, Win]


def winners(contests: Sequence[Contest]) -> list[Winners]:
    """The winners of each; one or more is wrong in at most 5 of 100 families of contests."""
    ours = {(i, name): _steps(one, name) for i, one in enumerate(contests) for name in one.ours}
    theirs = {(i, name): [_p_of_losing(one, name)] for i, one in enumerate(contests)
              for name in one.theirs}  # fmt: skip
    won, lost = (
        dict(zip(asked, chained([*asked.values()]), strict=True)) for asked in (ours, theirs)
    )
    twins = {key: wins[0] for key, wins in won.items() if len(wins) == 2}
    all_of_them = {key: wins[-1] for key, wins in won.items()}
    controls = {key: wins[-1] for key, wins in lost.items()}
    return [
        Winners(_at(i, twins), _at(i, all_of_them), _at(i, controls)) for i in range(len(contests))
    ]


def _at(place: int, wins: Mapping[tuple[int, str], Win]) -> dict[str, Win]:
    return {name: win for (i, name), win in wins.items() if i == place and win.p < LEVEL}


def _steps(contest: Contest, ours: str) -> list[float]:
    """First that it beats its twins, where it has any, then that it beats all."""
    versus = {pair: one for pair, one in contest.tested.items() if pair[0] == ours}
    twins = [one for pair, one in versus.items() if pair in contest.twins]
    return [*([_p_of_beating(twins)] if twins else []), _p_of_beating(versus.values())]


def _p_of_beating(comparisons: Iterable[Comparison]) -> float:
    """Two-sided p of being better in all of them."""
    return max(one.p if one.difference > 0 else 1.0 for one in comparisons)


def _p_of_losing(contest: Contest, control: str) -> float:
    """Two-sided p of no pretrained method being as good as this control."""
    versus = [one for pair, one in contest.tested.items() if pair[1] == control]
    return max(one.p if one.difference < 0 else 1.0 for one in versus)


def chained(chains: Sequence[Sequence[float]]) -> list[list[Win]]:
    """Chains of hypotheses, each tested only when the ones before it in its chain were rejected.

    What a finished chain was allowed goes to the others in equal parts; with one hypothesis a chain
    this is Holm's procedure.

    Args:
        chains: the p of each hypothesis, in the order of testing; none is empty.
    """
    adjusted: list[list[Win]] = [[] for _ in chains]
    largest, unfinished = 0.0, set(range(len(chains)))
    while unfinished:
        place = min(sorted(unfinished), key=lambda i: chains[i][len(adjusted[i])])
        largest = max(largest, len(unfinished) * chains[place][len(adjusted[place])])
        adjusted[place].append(Win(min(1.0, largest), LEVEL / len(unfinished)))
        if len(adjusted[place]) == len(chains[place]):
            unfinished.remove(place)
    return adjusted
