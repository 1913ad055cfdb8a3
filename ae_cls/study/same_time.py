"""Pretraining of about the same time for every arm, by what an image costs each."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from ae_cls.study.facts import ArmFacts, Facts
from ae_cls.terminal.duration import roughly

_NOTHING_LEFT = 1e-9  # seconds; a network that costs nothing is not timed
_FAR_LONGER = 2.0  # times as long as the others is no comparison at the same time


def epochs_for(minutes: float, facts: Facts, before: Mapping[str, int]) -> dict[str, int]:
    """Epochs by arm, at least one; arms that share a pretraining share them.

    Args:
        minutes: of pretraining.
        facts: as measured, with the epochs that the words of each arm say.
        before: those of an earlier call, by arm, which stay.
    """
    trained = {name: arm for name, arm in facts.arms.items() if arm.passes}
    of_network = {trained[name].pretraining: before[name] for name in trained if name in before}
    for arm in trained.values():
        seconds = max(_NOTHING_LEFT, _seconds_of_epoch(arm, facts.pretrain))
        of_network.setdefault(arm.pretraining, max(1, round(60 * minutes / seconds)))
    return {name: of_network[arm.pretraining] for name, arm in trained.items()}


def without_slow(minutes: float, facts: Facts, needed: Collection[str]) -> Facts:
    """What is known, where arms cannot be carried out whose one epoch takes far longer than that.

    Args:
        minutes: of pretraining.
        facts: as measured.
        needed: names of arms that stay however slow they are, and so do those of their networks.
    """
    networks = {facts.arms[name].pretraining for name in needed if name in facts.arms}
    arms = {
        name: arm if arm.pretraining in networks else _in_time(minutes, arm, facts.pretrain)
        for name, arm in facts.arms.items()
    }
    return replace(facts, arms=arms)


def _in_time(minutes: float, arm: ArmFacts, images: int) -> ArmFacts:
    if arm.mistake or not arm.passes:
        return arm
    seconds = _seconds_of_epoch(arm, images)
    if seconds <= _FAR_LONGER * 60 * minutes:
        return arm
    why = f"one epoch takes about {roughly(seconds)}, and study.pretrain_minutes={minutes:g}"
    return replace(arm, mistake=why)


def with_epochs(facts: Facts, epochs: Mapping[str, int], question: str) -> Facts:
    """What it will cost with so many epochs by arm.

    Args:
        facts: as measured.
        epochs: of pretraining; arms that are not here pretrain as their words say.
        question: the arm of the study's own words.
    """
    arms = {
        name: _longer(arm, epochs[name], facts.pretrain) if name in epochs else arm
        for name, arm in facts.arms.items()
    }
    passes = arms[question].passes if question in epochs else facts.passes
    return replace(facts, arms=arms, passes=passes)


def _seconds_of_epoch(arm: ArmFacts, images: int) -> float:
    whole = arm.passes * arm.pretrain_seconds + arm.steps * arm.step_seconds
    return whole * images / arm.passes


def _longer(arm: ArmFacts, epochs: int, images: int) -> ArmFacts:
    """The store was asked for the network of the words; of others nothing is known."""
    factor = epochs * images / arm.passes
    return replace(
        arm,
        epochs=epochs,
        passes=arm.passes * factor,
        steps=round(arm.steps * factor),
        is_kept=arm.is_kept and factor == 1,
    )
