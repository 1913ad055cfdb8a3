"""The arms of a study with their configs, and which of them cannot be carried out."""

from collections.abc import Mapping, Sequence
from typing import Any

from ae_cls.errors import UsageError
from ae_cls.experiment import configs
from ae_cls.study.arms import QUESTION, Arm, arms_of, words_of_arm
from ae_cls.study.facts import Facts
from ae_cls.study.request import Request
from ae_cls.study.settings import StudySettings

Config = Mapping[str, Any]


def composed_arms(
    request: Request, settings: StudySettings
) -> tuple[dict[str, tuple[Arm, dict[str, Any]]], dict[str, str]]:
    """Each arm with its config, and why the others have none; of equal ones the first."""
    found: dict[str, tuple[Arm, dict[str, Any]]] = {}
    impossible: dict[str, str] = {}
    for arm in arms_of(settings, request.arms, request.folders, chosen=request.chooses_arms):
        try:
            config = without_launch(request.config(words_with(arm, request)))
        except UsageError as error:
            if arm.is_asked_for or arm.name == QUESTION:
                raise
            impossible[arm.name] = error.what
            continue
        if equal := _equal(arm, config, found):
            impossible[arm.name] = f"the same as {equal}"
        else:
            found[arm.name] = (arm, config)
    return found, impossible


def words_with(arm: Arm, request: Request) -> tuple[str, ...]:
    """The words of the study, with those of the arm over them."""
    return words_of_arm(arm, request.of_runs, configs.defaults_of("run"))


def _equal(arm: Arm, config: Config, found: Mapping[str, tuple[Arm, dict[str, Any]]]) -> str:
    """The name of an arm that is this one already; empty when there is none."""
    names = (
        name
        for name, (other, known) in found.items()
        if config == known and arm.same_compute == other.same_compute
    )
    return next(names, "")


def possible_arms(arms: Sequence[Arm], facts: Facts, impossible: dict[str, str]) -> list[Arm]:
    """The arms that can be carried out; `impossible` gets the others.

    Raises:
        UsageError: one of them was asked for.
    """
    for arm in arms:
        own = facts.arms[arm.name]
        has_nothing = arm.same_compute and not facts.passes
        why = own.mistake or ("pretraining takes no time" if has_nothing else "")
        if why and arm.is_asked_for:
            raise UsageError(f"the arm {arm.name} cannot be carried out", why=why)
        if why:
            impossible[arm.name] = why
    return [arm for arm in arms if arm.name not in impossible]


def without_launch(config: Config) -> dict[str, Any]:
    """What a run is told."""
    return {key: value for key, value in config.items() if key != "launch"}
