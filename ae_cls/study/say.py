"""What a study says before it begins: what is compared, how often, how long it takes."""

from collections.abc import Iterator

from ae_cls.study.cells import Extent
from ae_cls.study.cost import pretrainings_of
from ae_cls.study.facts import Facts
from ae_cls.study.plan import StudyPlan
from ae_cls.terminal.duration import roughly


def lines(plan: StudyPlan) -> Iterator[str]:
    """One after another, for a terminal or a log."""
    width = max(len(arm.name) for arm in plan.extent.arms)
    for arm in plan.extent.arms:
        yield f"  {arm.name:<{width}}  {arm.meaning}"
    for name, why in plan.impossible.items():
        yield f"  {name:<{width}}  not here: {why}"
    yield f"label budgets: {', '.join(budget.title for budget in plan.extent.budgets)}"
    yield _repeats(plan.extent, plan.facts)
    yield _counts(plan)
    if minutes := plan.settings.pretrain_minutes:
        yield f"each network pretrains for about {minutes:g} minutes: {_epochs(plan)}"
    if plan.left_out:
        yield f"left out, for want of time: {'; '.join(plan.left_out)}"
    yield f"about {roughly(plan.seconds)}, in {plan.path}"


def _repeats(extent: Extent, facts: Facts) -> str:
    seeds = f", {extent.seeds} seeds" if extent.seeds > 1 else ""
    if extent.folds is None:
        more = _more_draws(extent)
        return f"{extent.draws} draws of labels{more}{seeds}; of all labels there is one"
    shared = (
        f": all pretraining is on the {facts.pretrain:,} images that have no label, once for all"
        if facts.shares_pretraining
        else ""
    )
    return (
        f"{extent.repeats} x {extent.folds} folds, as there are few images and no official test "
        f"part: each fold is tested on in turn, and nothing of it is pretrained on{shared}{seeds}"
    )


def _more_draws(extent: Extent) -> str:
    """`, 10 at 10 a class for arms that leave the encoder as it is`, or nothing."""
    more = [f"{extent.draws + count} at {title}" for title, count in extent.more_draws.items()]
    return f" ({', '.join(more)} for arms that leave the encoder as it is)" if more else ""


def _epochs(plan: StudyPlan) -> str:
    arms = ((arm.name, plan.facts.arms[arm.name].epochs) for arm in plan.extent.arms)
    return ", ".join(f"{name} {epochs}" for name, epochs in arms if epochs) + " epochs"


def _counts(plan: StudyPlan) -> str:
    missing, runs = len(plan.missing), len(plan.jobs)
    before = f", {runs - missing} of them finished before" if missing < runs else ""
    trained, kept = pretrainings_of(plan.cells.values(), plan.facts)
    networks = f"{trained} pretraining{'' if trained == 1 else 's'}"
    return f"{runs} runs{before}; {networks}" + (f", {kept} of them kept" if kept else "")
