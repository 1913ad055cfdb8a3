"""The command line, and jobs that take no time, as the tests of sweeps have them."""

from collections.abc import Mapping
from typing import Any

import pytest

from ae_cls.study import plan
from ae_cls.study.facts import ArmFacts, Facts
from ae_cls.train.length import Length
from tests.cli.conftest import ae_cls as ae_cls
from tests.jobs.conftest import forking as forking
from tests.jobs.conftest import started as started


def facts(arms: Mapping[str, ArmFacts]) -> Facts:
    """Of digits and these arms."""
    return Facts(
        classes=10, train=1294, rarest=125, pretrain=1294, shares_pretraining=False, valid=144,
        judged=503, labelled=1797, device="cpu", has_official_test=False, passes=4313.0, folds=100,
        arms=arms,
    )  # fmt: skip


@pytest.fixture
def known_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The facts of digits without reading them or timing a network, which takes seconds."""

    def look(base: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]]) -> Facts:
        return facts({name: _of_arm(config) for name, config in arms.items()})

    monkeypatch.setattr(plan, "look", look)


def _of_arm(config: Mapping[str, Any]) -> ArmFacts:
    head, pretrains = config["head"]["name"], config["autoencoder"]["name"] == "conv"
    return ArmFacts(
        head=head,
        pretraining="one" if pretrains else "",
        passes=4313.0 if pretrains else 0.0,
        finetune=Length(20, 200, 256) if head == "finetune" else None,
    )
