"""From the words of a study to its jobs: which arms, on how many labels, how often, how long."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, final

from ae_cls.errors import UsageError
from ae_cls.experiment.mistakes import read_part
from ae_cls.jobs.launch import read_launch
from ae_cls.jobs.plan import Compose, planned, refuse_too_many
from ae_cls.jobs.record import Job, is_finished
from ae_cls.saved.study import WrittenStudy
from ae_cls.study.arms import QUESTION, Arm
from ae_cls.study.ask import look
from ae_cls.study.at_once import AtOnce, at_once
from ae_cls.study.budgets import Budget, budgets_of
from ae_cls.study.cells import Cell, Extent, cells_of, pretraining_of
from ae_cls.study.cost import Measured, own_seconds, seconds_of
from ae_cls.study.earlier import (
    epochs_before,
    measured_in,
    place_of,
    planned_before,
    planned_in,
    refuse_unknown_epochs,
)
from ae_cls.study.facts import SMALL, Facts
from ae_cls.study.fit import fitted, left_out, with_more_draws
from ae_cls.study.possible import Config, composed_arms, possible_arms, without_launch, words_with
from ae_cls.study.request import Request
from ae_cls.study.same_time import epochs_for, with_epochs, without_slow
from ae_cls.study.settings import StudySettings

DRAWS = 5
"""Of labels at each budget, where nothing else is asked for."""

_FOLDS = 5
_LOT = "study"  # all read the same data


@final
@dataclass(frozen=True)
class StudyPlan:
    """What a study is to do.

    Attributes:
        request: what was asked for.
        settings: as they were composed.
        impossible: arms of the preset that do not go with the words of the study, and why.
        facts: of data and arms.
        whole: what was asked for, where there is time enough.
        extent: what is compared.
        path: folder of the study.
        jobs: its runs, equal ones once.
        cells: of the jobs, by name.
        at_once: where they are carried out, and how many at a time.
        measured: seconds of cells that have finished, as one takes alone.
    """

    request: Request
    settings: StudySettings
    impossible: Mapping[str, str]
    facts: Facts
    whole: Extent
    extent: Extent
    path: Path
    jobs: list[Job]
    cells: dict[str, Cell]
    at_once: AtOnce
    measured: Measured

    @property
    def missing(self) -> list[Cell]:
        """The runs that have not finished in this folder."""
        done = {job.name for job in self.jobs if is_finished(self.path / job.name)}
        return [cell for name, cell in self.cells.items() if name not in done]

    @property
    def seconds(self) -> float:
        """An estimate for what is missing."""
        return seconds_of(self.missing, self.facts, self.measured) / self.at_once.gain

    @property
    def estimates(self) -> dict[str, float]:
        """Seconds of each run for itself, by the name of its job."""
        alone = {cell: own_seconds(cell, self.facts, self.measured) for cell in self.cells.values()}
        return {name: alone[cell] for name, cell in self.cells.items()}

    @property
    def left_out(self) -> list[str]:
        """What there is no time for, one phrase each."""
        return list(left_out(self.whole, self.extent))

    def described(self) -> dict[str, Any]:
        """For study.json: what is compared, and all that a later call must not decide anew."""
        extent = self.extent
        return {
            "words": list(self.request.words),
            "question": QUESTION,
            "arms": {
                arm.name: {"words": list(arm.words), "meaning": arm.meaning} for arm in extent.arms
            },
            "impossible": dict(self.impossible),
            "left_out": self.left_out,
            "budgets": [budget.title for budget in extent.budgets],
            "draws": extent.draws,
            "more_draws": dict(extent.more_draws),
            "seeds": extent.seeds,
            "folds": extent.folds,
            "repeats": extent.repeats,
            "pretrain_epochs": {
                name: arm.epochs for name, arm in self.facts.arms.items() if arm.epochs is not None
            },
            "asked": self.settings.model_dump(mode="json"),
            "cells": {
                name: [cell.arm.name, cell.budget.title] for name, cell in self.cells.items()
            },
        }


def plan_of(request: Request) -> StudyPlan:
    """The runs of a study, checked, and none of them begun.

    Raises:
        UsageError: a word is wrong, or the time is too short.
        DataError: the data cannot be read.
    """
    settings = _settings(request)
    config = request.config(request.of_runs)
    base, launch = without_launch(config), read_launch(config["launch"])
    arms, impossible = composed_arms(request, settings)
    path = place_of(request, settings, base)
    earlier = planned_in(path)
    refuse_unknown_epochs(path, settings, earlier)
    looked = look(base, {name: config for name, (_, config) in arms.items()})
    needed = [arm.name for arm, _ in arms.values() if arm.is_asked_for or arm.name == QUESTION]
    facts = _of_same_time(looked, settings, earlier, needed)
    possible = possible_arms([arm for arm, _ in arms.values()], facts, impossible)
    whole, place = _whole(settings, tuple(possible), facts), at_once(launch, request, facts)
    refuse_too_many(whole.count, launch.max_jobs)
    measured = {
        kind: seconds / place.slower for kind, seconds in measured_in(path, earlier).items()
    }

    def seconds(cells: list[Cell]) -> float:
        return seconds_of(cells, facts, measured) / place.gain

    extent = planned_before(settings, whole, earlier) or _extent(settings, whole, seconds)
    words = {_own_words(cell, base): cell for cell in cells_of(extent)}
    composing = partial(_composing, request, facts, extent)
    plan = planned("run", [(own, composing(cell, own)) for own, cell in words.items()])
    lots = _lots(list(words.values()), extent)
    jobs = [replace(job, lot=lots[words[job.words]]) for job in plan.jobs]
    cells = {job.name: words[job.words] for job in jobs}
    return StudyPlan(
        request, settings, impossible, facts, whole, extent, path, jobs, cells, place, measured,
    )  # fmt: skip


def _lots(cells: Sequence[Cell], extent: Extent) -> dict[Cell, str]:
    """Of short runs, whose process reads the data once; long ones are dealt out one by one.

    So are those that pretrain: of a lot of them, each would be waited for in another process. No
    lot is without a name, or a run that another sweep has finished would be missing in the report.
    """
    networks = pretraining_of(cells, extent.networks)
    return {cell: _lot(cell, extent, networks.get(cell, "")) for cell in cells}


def _lot(cell: Cell, extent: Extent, network: str) -> str:
    is_long = cell.budget.is_all and extent.folds is None
    return f"{_LOT} {f'{cell.arm.name}, all labels' if is_long else network}".strip()


def _settings(request: Request) -> StudySettings:
    plain = request.compose(request.words)["study"]
    keys = ", ".join(f"study.{key}" for key in StudySettings.model_fields)
    return read_part(StudySettings.model_validate_json, plain, "study", f"its keys are {keys}")


def _of_same_time(
    facts: Facts, settings: StudySettings, earlier: WrittenStudy, needed: Sequence[str]
) -> Facts:
    """As they were measured, or with pretraining of as many minutes as all are to have."""
    if settings.pretrain_minutes is None:
        return facts
    before = epochs_before(settings, earlier)
    able = without_slow(settings.pretrain_minutes, facts, [*needed, *before])
    return with_epochs(able, epochs_for(settings.pretrain_minutes, able, before), QUESTION)


def _extent(
    settings: StudySettings, whole: Extent, seconds: Callable[[list[Cell]], float]
) -> Extent:
    extent = fitted(whole, settings.minutes, seconds)
    if settings.draws is not None or extent.folds is not None or extent.draws < whole.draws:
        return extent
    return with_more_draws(extent, settings.minutes, seconds)


def _whole(settings: StudySettings, arms: tuple[Arm, ...], facts: Facts) -> Extent:
    budgets = _budgets(settings.budgets, facts)
    folds = _folds(settings, facts)
    repeats = settings.repeats if folds else 1
    frozen = frozenset(arm.name for arm in arms if facts.arms[arm.name].finetune is None)
    draws = settings.draws or DRAWS
    networks = {arm.name: network for arm in arms if (network := facts.arms[arm.name].pretraining)}
    return Extent(
        arms, tuple(budgets), draws, settings.seeds, folds, repeats, frozen=frozen,
        networks=networks, only=dict(_only(arms, budgets, facts)),
    )  # fmt: skip


def _budgets(given: Sequence[int | str] | None, facts: Facts) -> list[Budget]:
    return budgets_of(given, labels=facts.train, rarest=facts.rarest, classes=facts.classes)


def _only(
    arms: Sequence[Arm], budgets: Sequence[Budget], facts: Facts
) -> Iterator[tuple[str, frozenset[str]]]:
    """The titles of its budgets, of each arm that is not compared on all."""
    for arm in arms:
        if arm.budgets is None:
            continue
        for budget in (own := _budgets(arm.budgets, facts)):
            if budget not in budgets:
                there_are = ", ".join(other.title for other in budgets)
                raise UsageError(
                    f"{budget.title} is no budget of this study", where="study.finetune_at",
                    why=f"it compares on {there_are}", fix="name it in study.budgets, too",
                )  # fmt: skip
        yield arm.name, frozenset(budget.title for budget in own)


def _folds(settings: StudySettings, facts: Facts) -> int | None:
    """None where there is an official test part, which is never divided anew, or enough data."""
    if settings.folds is None:
        is_small = not facts.has_official_test and facts.labelled < SMALL
        return min(_FOLDS, facts.folds) if is_small and facts.folds > 1 else None
    if facts.has_official_test or facts.folds < settings.folds:
        why = "there is an official test part" if facts.has_official_test else (
            f"copies and groups stay together, which leaves {facts.folds} folds"
        )  # fmt: skip
        raise UsageError(
            "these folds cannot be made", where=f"study.folds={settings.folds}", why=why
        )
    return settings.folds


def _own_words(cell: Cell, base: Config) -> tuple[str, ...]:
    """The words of a run that are not those of all runs; the first is no word of `ae-cls run`."""
    seed, split_seed = base["seed"], base["split"]["seed"]
    start = seed if split_seed is None else split_seed
    # Of all seeds the split is the same: they are compared on the same test images.
    of_split = [f"split.seed={start + cell.repeat}"]
    if cell.fold is not None:
        of_split += [f"split.fold={cell.fold}"]
    of_labels = [] if cell.draw is None else [cell.budget.word, f"labels.draw={cell.draw}"]
    return (f"arm={cell.arm.name}", *of_labels, f"seed={seed + cell.seed}", *of_split)


def _composing(
    request: Request, facts: Facts, extent: Extent, cell: Cell, own: tuple[str, ...]
) -> Compose:
    """What composes the config of a run."""
    words = [*words_with(cell.arm, request), *own[1:]]
    if extent.folds is not None:
        words.append(f"split.folds={extent.folds}")
        if facts.shares_pretraining:
            words.append("split.pretrain_on=unlabelled")
    if (own_epochs := facts.arms[cell.arm.name].epochs) is not None:
        words.append(f"pretrain.epochs={own_epochs}")
    if cell.arm.same_compute:
        epochs = facts.arms[cell.arm.name].longer_epochs(cell.budget.count, facts.passes)
        words.append(f"head.epochs={epochs}")
    if facts.arms[cell.arm.name].passes and cell.is_first and cell.budget == extent.budgets[-1]:
        words.append("figures=true")  # of one run of each network, for the page
    return lambda: request.config(words)
