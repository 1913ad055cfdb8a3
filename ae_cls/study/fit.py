"""The largest study that fits into the time there is, and what it leaves out."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from ae_cls.errors import UsageError
from ae_cls.study.cells import Cell, Extent, cells_of

FEWEST_DRAWS = 3
"""Draws below which nothing can be claimed, so that time spent on them is lost."""

_DRAWS = (10, 15, 20)  # of arms that leave the encoder as it is, where there is time
MOST_DRAWS = _DRAWS[-1]
"""Of those arms, where no number is asked for."""

_AT_MOST_MORE = 0.5  # of the time that the study takes without them
_SPARE = 0.95  # of the time that there is: an estimate may be wrong
_LEAST_GAIN = 0.05  # of the time: what saves less is not worth leaving out
_MOST_OF_IT = 0.5  # of the time: a budget that takes more goes before draws do
# Arms that a verdict can do without, the first to go first. The pretrained network, random
# weights and the cheap controls are never left out: without them there is no verdict.
_DISPENSABLE = ("scratch_long", "forest_pixels", "lbp", "pca", "svm_pixels")
_LAST_TO_GO = ("finetuned", "scratch")


def fitted(
    whole: Extent, minutes: float | None, seconds_of: Callable[[list[Cell]], float]
) -> Extent:
    """The whole study, or less of it in a fixed order until it fits.

    First the arms that a verdict can do without; then divisions into folds; then a budget that
    takes most of the time; then draws, down to three; then the largest budgets, down to two; then
    fine-tuning. Divisions come back where there is time for them at the end.

    Args:
        whole: what was asked for.
        minutes: that there are; None: any number.
        seconds_of: an estimate for some cells.

    Raises:
        UsageError: not even the smallest study that can claim anything fits.
    """
    extent = whole
    if minutes is None:
        return extent
    needed = seconds_of(cells_of(extent))
    for least_share, smaller in _steps(whole):
        if needed <= 60 * minutes:
            break
        less = smaller(extent)
        saved = needed - seconds_of(cells_of(less))
        if saved > least_share * needed:
            extent, needed = less, needed - saved
    if needed > 60 * minutes:
        least = math.ceil(needed / 60)
        raise UsageError(
            f"no study that could claim anything fits into {minutes:g} minutes",
            where=f"study.minutes={minutes:g}", why=f"the smallest takes about {least}",
            fix=f"study.minutes={least + 1}, pretrain=quick, or fewer arms: study.arms=[...]",
        )  # fmt: skip
    return _with_repeats(extent, whole.repeats, 60 * minutes, seconds_of)


def _with_repeats(
    extent: Extent, most: int, there_is: float, seconds_of: Callable[[list[Cell]], float]
) -> Extent:
    """As many divisions into folds as fit, now that other things are left out."""
    for repeats in range(most, extent.repeats, -1):
        larger = replace(extent, repeats=repeats)
        if seconds_of(cells_of(larger)) <= _SPARE * there_is:
            return larger
    return extent


Step = tuple[float, Callable[[Extent], Extent]]
"""Leaves something out, if that saves more than this share of the time."""


def _steps(whole: Extent) -> Iterator[Step]:
    yield from _without_arms(whole, _DISPENSABLE)
    for _ in range(whole.repeats - 1):
        yield _LEAST_GAIN, lambda extent: replace(extent, repeats=extent.repeats - 1)
    yield from _without_budgets(whole, _MOST_OF_IT)
    if whole.folds is None:
        for _ in range(whole.draws - FEWEST_DRAWS):
            yield _LEAST_GAIN, lambda extent: replace(extent, draws=extent.draws - 1)
    yield from _without_budgets(whole, _LEAST_GAIN)
    yield from _without_arms(whole, _LAST_TO_GO)


def _without_budgets(whole: Extent, least_share: float) -> Iterator[Step]:
    """The largest first; the two smallest stay."""
    for budget in whole.budgets[:1:-1]:
        yield (
            least_share,
            lambda extent, budget=budget: replace(
                extent, budgets=tuple(other for other in extent.budgets if other != budget)
            ),
        )


def _without_arms(whole: Extent, names: tuple[str, ...]) -> Iterator[Step]:
    """An arm that the user asked for stays."""
    asked_for = {arm.name for arm in whole.arms if arm.is_asked_for}
    for name in names:
        if name not in asked_for:
            yield (
                _LEAST_GAIN,
                lambda extent, name=name: replace(
                    extent, arms=tuple(arm for arm in extent.arms if arm.name != name)
                ),
            )


def with_more_draws(
    extent: Extent, minutes: float | None, seconds_of: Callable[[list[Cell]], float]
) -> Extent:
    """The same study with more draws of the arms that leave the encoder as it is.

    Their runs take seconds, and with the fewest labels it is draws that a verdict lacks. Step by
    step, the smallest budget first, while they cost half the time of the others at most.

    Args:
        extent: what fits.
        minutes: that there are; None: any number.
        seconds_of: an estimate for some cells.
    """
    needed = seconds_of(cells_of(extent))
    there_is = min(_SPARE * 60 * minutes if minutes else math.inf, (1 + _AT_MOST_MORE) * needed)
    for most in _DRAWS:
        for budget in (budget for budget in extent.budgets if not budget.is_all):
            more = {**extent.more_draws, budget.title: most - extent.draws}
            larger = replace(extent, more_draws=more)
            if seconds_of(cells_of(larger)) <= there_is:
                extent = larger
    return extent


def left_out(whole: Extent, extent: Extent) -> Iterator[str]:
    """What was asked for and is not compared, one phrase each."""
    yield from (f"the arm {arm.name}" for arm in whole.arms if arm not in extent.arms)
    if extent.repeats < whole.repeats:
        yield f"{whole.repeats - extent.repeats} of {whole.repeats} divisions into folds"
    if extent.draws < whole.draws:
        yield f"{whole.draws - extent.draws} of {whole.draws} draws of labels"
    for budget in whole.budgets:
        if budget not in extent.budgets:
            yield "all labels" if budget.is_all else f"{budget.title} as a number of labels"
