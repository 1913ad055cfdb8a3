"""The facts of a study from a process that has torch: this one, which plans, needs none."""

from collections.abc import Mapping
from typing import Any

from ae_cls.errors import AeClsError
from ae_cls.jobs import process
from ae_cls.study.facts import ArmFacts, Facts
from ae_cls.train.length import Length


def look(base: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]]) -> Facts:
    """The facts of a study, looked up and measured in a process that has torch.

    Args:
        base: the composed config of `ae-cls run` with the words of the study.
        arms: that of each arm.

    Raises:
        AeClsError: of the data, or of the words of the study.
    """
    answer = process.answer_of(_look, base, arms)
    if error := answer.get("error"):
        kinds = {kind.code: kind for kind in AeClsError.__subclasses__()}
        raise kinds[error.pop("code")](**error)
    found = {name: _arm_facts(plain) for name, plain in answer.pop("arms").items()}
    return Facts(**answer, arms=found)


def _arm_facts(plain: dict[str, Any]) -> ArmFacts:
    finetune = plain.pop("finetune")
    return ArmFacts(**plain, finetune=finetune and Length(**finetune))


def _look(base: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    from ae_cls.study.look import facts_of  # here, as it imports torch

    try:
        return facts_of(base, arms)
    except AeClsError as error:
        said = {key: getattr(error, key) for key in ("what", "where", "why", "fix")}
        return {"error": {"code": error.code, **said}}
