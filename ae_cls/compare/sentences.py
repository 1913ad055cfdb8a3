"""The verdict in words for people who know no statistics, each claim one that the numbers allow.

"Helps" and "is better" are said only where every comparison that they rest on leaves out 0, at a
level that is adjusted for all that the verdict asks.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from ae_cls.compare.verdict import Verdict, Versus
from ae_cls.evaluate.claims import FEWEST_DRAWS
from ae_cls.evaluate.label_worth import LabelWorth
from ae_cls.evaluate.winners import Win


class Outcome(NamedTuple):
    """What came out at one budget.

    Attributes:
        kind: helps (more than every control), twin (more than the same network without
            pretraining), control (a control is better), open, or few (too few runs to say).
        versus: that shows it: for `helps` and `twin` the most accurate control beaten, for
            `control` the control that is better, else the most accurate control.
    """

    kind: str
    versus: Versus


def outcome(found: Verdict, budget: str) -> Outcome | None:
    """At one budget; None where nothing was paired."""
    versus = found.at(budget)
    if not versus:
        return None
    by_accuracy = _by_accuracy(found, budget, versus)
    tested = [v for v in by_accuracy if v.comparison.pairs >= FEWEST_DRAWS]
    if not tested:
        return Outcome("few", _of_leading(found, budget, by_accuracy))
    won = found.won(budget)
    shown = (
        _first(tested, won.over_controls, "helps"),
        _better_control(found, budget, tested, won.controls),
        _first([v for v in tested if v.is_twin], won.over_twins, "twin"),
    )
    return next(filter(None, shown), Outcome("open", _of_leading(found, budget, tested)))


def _by_accuracy(found: Verdict, budget: str, versus: list[Versus]) -> list[Versus]:
    """The most accurate control first, and beside it the most accurate pretrained arm."""
    return sorted(
        versus,
        key=lambda v: (-_percent(found, v.control, budget), -_percent(found, v.pretrained, budget)),
    )


def _first(
    versus: list[Versus], winning: Mapping[str, Win], kind: Literal["helps", "twin"]
) -> Outcome | None:
    """A pretrained arm that wins, beside the most accurate arm that it beats."""
    return next((Outcome(kind, v) for v in versus if v.pretrained in winning), None)


def _better_control(
    found: Verdict, budget: str, versus: list[Versus], winning: Mapping[str, Win]
) -> Outcome | None:
    """The most accurate control that wins, beside the leading pretrained arm."""
    name = next((v.control for v in versus if v.control in winning), None)
    own = [v for v in versus if v.control == name]
    return Outcome("control", _of_leading(found, budget, own)) if own else None


def headline(found: Verdict) -> str:
    outcomes = {budget: outcome(found, budget) for budget in found.budgets}
    said = {budget: one for budget, one in outcomes.items() if one}
    if not said:
        return _nothing_to_compare(found)
    by_kind = {kind: [b for b, one in said.items() if one.kind == kind] for kind in _KINDS}
    if by_kind["helps"]:
        return _helps(found, by_kind["helps"], said)
    if by_kind["control"]:
        return _use_control(found, by_kind["control"], said)
    if by_kind["twin"]:
        return _helps_the_network(found, by_kind["twin"], said)
    if by_kind["open"]:
        return _open(found, by_kind["open"], said)
    return (
        f"Too few runs for a verdict on {found.dataset}: {FEWEST_DRAWS} draws of labels with and "
        "without pretraining are the least."
    )


_KINDS = ("helps", "control", "twin", "open", "few")


def further_sentences(found: Verdict) -> Iterator[str]:
    """What else a person should know, one sentence each, the most important first."""
    yield from _other_budgets(found)
    yield from _network_alone(found)
    yield from _worth_sentence(found)
    yield from _more_draws(found)


def _helps(found: Verdict, budgets: list[str], said: dict[str, Outcome]) -> str:
    at = said[budgets[0]].versus
    return (
        f"Pretraining helps on {found.dataset}: with {_labels(budgets[0])}, "
        f"{_share(found, at.pretrained, budgets[0])} of new images are recognised instead of "
        f"{_share(found, at.control, budgets[0])} with the best alternative ({at.control})."
    )


def _use_control(found: Verdict, budgets: list[str], said: dict[str, Outcome]) -> str:
    at = said[budgets[0]].versus
    return (
        f"Use {at.control} on {found.dataset}: with {_labels(budgets[0])} it recognises "
        f"{_share(found, at.control, budgets[0])} of new images, the best pretrained network "
        f"{_share(found, at.pretrained, budgets[0])}."
    )


def _helps_the_network(found: Verdict, budgets: list[str], said: dict[str, Outcome]) -> str:
    at, budget = said[budgets[0]].versus, budgets[0]
    best = found.best_control[budget].name
    return (
        f"Pretraining helps this network on {found.dataset}: with {_labels(budget)}, "
        f"{_share(found, at.pretrained, budget)} of new images are recognised instead of "
        f"{_share(found, at.control, budget)} without it; but {best}, which needs no pretraining, "
        f"reaches {_share(found, best, budget)}."
    )


def _open(found: Verdict, budgets: list[str], said: dict[str, Outcome]) -> str:
    at, budget = said[budgets[0]].versus, budgets[0]
    return (
        f"Whether pretraining helps on {found.dataset} cannot be told from these runs: with "
        f"{_labels(budget)}, {_share(found, at.pretrained, budget)} of new images are recognised, "
        f"and {_share(found, at.control, budget)} with the best alternative ({at.control})."
    )


def _nothing_to_compare(found: Verdict) -> str:
    trained = [arm.name for arm in found.arms if arm.is_pretrained]
    if trained and len(trained) < len(found.arms):
        return (
            f"No two of these runs on {found.dataset} with and without pretraining have the same "
            "labels, test images and seed, so nothing can be said of pretraining."
        )
    lacking = "without pretraining" if trained else "with pretraining"
    return (
        f"None of these runs on {found.dataset} is {lacking}, so nothing can be said of "
        f"pretraining: ae-cls study dataset={found.dataset} would."
    )


def _other_budgets(found: Verdict) -> Iterator[str]:
    """One sentence a budget; the headline's own is not said again."""
    outcomes = [(budget, outcome(found, budget)) for budget in found.budgets]
    spoken = headline(found)
    for budget, one in outcomes:
        if one is None or f"with {_labels(budget)}" in spoken:
            continue
        yield _at_budget(found, budget, one)


def _at_budget(found: Verdict, budget: str, one: Outcome) -> str:
    ours, theirs = (_share(found, name, budget) for name in (one.versus.pretrained,
                                                             one.versus.control))  # fmt: skip
    both = f"{ours} against {theirs} ({one.versus.control})"
    said = {
        "helps": f"pretraining helps: {both}",
        "control": f"{one.versus.control} is better than any pretrained network here: {theirs} "
        f"against {ours}",
        "twin": f"pretraining helps this network: {both}; it does not beat every alternative",
        "open": f"no difference can be told: {both}",
        "few": f"too few runs to tell: {both}",
    }
    return f"With {_labels(budget)}, {said[one.kind]}."


def _network_alone(found: Verdict) -> Iterator[str]:
    """Where a control is better still, whether pretraining helps the network it was asked for."""
    for budget in found.budgets:
        one = outcome(found, budget)
        twins = [v for v in found.at(budget) if v.is_twin]
        helped = _first(_by_accuracy(found, budget, twins), found.won(budget).over_twins, "twin")
        if one is not None and one.kind == "control" and helped is not None:
            names = helped.versus.pretrained, helped.versus.control
            ours, theirs = (_share(found, name, budget) for name in names)
            yield (
                f"Pretraining does help this network: with {_labels(budget)}, {ours} against "
                f"{theirs} without it ({helped.versus.control})."
            )
            return


def _worth_sentence(found: Verdict) -> Iterator[str]:
    if not found.worth:
        return
    for worth in found.worth.values():
        if worth.is_evidence:
            yield (
                f"{worth.labels:,} labels with pretraining do as much as {_needed(worth)} with "
                f"{found.worth_of}, which has none."
            )
            return
    yield f"These runs give no evidence that pretraining saves labels over {found.worth_of}."


def _needed(worth: LabelWorth) -> str:
    low = f"{worth.low:,.0f}" if worth.low is not None else f"fewer than {worth.fewest:,}"
    if worth.needed is None:
        return f"more than {worth.most:,}" if worth.low == worth.most else (
            f"{low} or more: the most that were tried, {worth.most:,}, fell short"
        )  # fmt: skip
    high = f"{worth.high:,.0f}" if worth.high is not None else f"more than {worth.most:,}"
    return f"about {worth.needed:,.0f} ({low} to {high})"


def _more_draws(found: Verdict) -> Iterator[str]:
    """For the first budget at which nothing could be told."""
    for budget in found.budgets:
        one = outcome(found, budget)
        if one is None or one.kind != "open":
            continue
        further = one.versus.further
        if further is None:
            yield (
                f"More draws alone would not show the difference with {_labels(budget)}: it is "
                "small for so few test images."
            )
        else:
            draws = "1 more draw" if further <= 1 else f"{further:,} more draws"
            yield (
                f"About {draws} of labels would show whether the difference with "
                f"{_labels(budget)} is real: {one.versus.pretrained} less {one.versus.control}."
            )
        return


def _of_leading(found: Verdict, budget: str, versus: list[Versus]) -> Versus:
    """The first of the most accurate pretrained arm among these."""
    return max(versus, key=lambda v: _percent(found, v.pretrained, budget))


def _labels(budget: str) -> str:
    return budget if "label" in budget else f"{budget.replace(' a class', ' labels a class')}"


def _share(found: Verdict, arm: str, budget: str) -> str:
    return f"{_percent(found, arm, budget):.1f} %"


def _percent(found: Verdict, arm: str, budget: str) -> float:
    return 100 * found.row(arm, budget).accuracy.difference
