"""How long the cells of a study are thought to take."""

from dataclasses import replace

import pytest
from torch.utils.flop_counter import FlopCounterMode

from ae_cls.run.data import prepare
from ae_cls.study import look
from ae_cls.study.arms import Arm
from ae_cls.study.budgets import Budget
from ae_cls.study.cells import Cell
from ae_cls.study.cost import own_seconds, pretrainings_of, seconds_of
from ae_cls.study.facts import ArmFacts, Facts
from ae_cls.study.same_time import without_slow
from ae_cls.train.length import Length
from ae_cls.train.operations import OperationCounter
from tests.composed import experiment, needed_by, options, plain
from tests.study.conftest import facts as of_digits

FEW = Budget("labels.per_class=5", "5 a class", 50)


def facts(arm: ArmFacts, *, shared: bool = False) -> Facts:
    return replace(of_digits({"one": arm}), pretrain=1000, shares_pretraining=shared)


def cell(fold: int | None = None, repeat: int = 0) -> Cell:
    return Cell(Arm("one", (), ""), FEW, 0, 0, repeat, fold)


def test_a_head_that_learns_from_all_images_passes_over_all_of_them() -> None:
    costs = {"step_seconds": 0.0, "pretrain_seconds": 1.0, "cost_ratio": 2.0}
    length = Length(epochs=3, min_steps=1, batch_size=10)
    labelled, both = (
        own_seconds(cell(), facts(ArmFacts(finetune=length, on_all=on_all, **costs)), {})
        for on_all in (False, True)
    )
    assert labelled == pytest.approx(1 + 3 * 50 * 0.5)
    assert both == pytest.approx(1 + 3 * 1000 * (0.5 + 1))


def test_spreading_costs_a_pair_of_images_each() -> None:
    alone, in_graph = (
        own_seconds(cell(), facts(ArmFacts(head=head)), {}) for head in ("unknown", "spread")
    )
    assert in_graph - alone == pytest.approx(5e-8 * 1000**2)


@pytest.mark.parametrize(("shared", "networks"), [(False, 4), (True, 1)])
def test_folds_pretrain_anew_unless_they_share_a_network(shared: bool, networks: int) -> None:
    arm = ArmFacts(pretraining="conv", passes=5000.0, pretrain_seconds=0.1)
    cells = [cell(fold, repeat) for repeat in (0, 1) for fold in (0, 1)]
    known = facts(arm, shared=shared)
    assert pretrainings_of(cells, known) == (networks, 0)
    own = sum(own_seconds(one, known, {}) for one in cells)
    assert seconds_of(cells, known, {}) - own == pytest.approx(networks * 500)


def test_layers_that_are_trained_one_after_another_are_counted_one_by_one() -> None:
    network, length = "autoencoder=deep", ("pretrain.epochs=2", "pretrain.min_steps=1")
    once, by_layer = (
        experiment(network, f"pretrain={option}", *length) for option in ("quick", "layerwise")
    )
    data = prepare(once)
    images, _ = look._passes(once, data)
    assert images == 2 * len(data.split.pretrain)
    layers, together = len(data.network.layers()), 5
    assert look._passes(by_layer, data)[0] == layers * images + together * images / 2


@pytest.mark.parametrize("name", options("autoencoder"))
def test_facts_of_every_network_are_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "_TIMED_SECONDS", 0.0)  # how exact the times are is not asked here
    words = f"autoencoder={name}", *needed_by(name), "labels.per_class=5"
    network = experiment(*words).autoencoder.small()
    composed = plain("run", *words) | {"autoencoder": network.model_dump()}
    arm = look._facts_of_arm(composed, prepare(experiment()))
    trains = network.has_gradients
    assert not arm.mistake
    assert (arm.passes > 0) == trains
    assert arm.width > 0 and arm.encode_seconds > 0 and arm.cost_ratio > 0


def test_operations_are_those_of_torch_s_own_counter() -> None:
    data = prepare(experiment())
    images = look._images(data, 2)
    with FlopCounterMode(display=False) as expected:
        look._loss(data, images).backward()
    with OperationCounter() as counted:
        look._loss(data, images).backward()
    assert counted.total == expected.get_total_flops() > 0


def test_a_network_whose_epoch_takes_far_longer_than_the_others_pretrain_is_left_out() -> None:
    arms = {
        name: ArmFacts(pretraining=network, passes=2000.0, pretrain_seconds=seconds)
        for name, network, seconds in (
            ("conv", "conv", 0.1), ("slow", "slow", 0.13), ("slow_finetuned", "slow", 0.13),
            ("slow_needed", "other", 0.13), ("its_finetuned", "other", 0.13),
        )
    }  # fmt: skip
    known = replace(of_digits({**arms, "hog": ArmFacts()}), pretrain=1000)
    able = without_slow(1.0, known, ["slow_needed"])
    left = {name for name, arm in able.arms.items() if not arm.mistake}
    assert left == {"conv", "slow_needed", "its_finetuned", "hog"}
    assert able.arms["slow"].mistake == "one epoch takes about 2 min, and study.pretrain_minutes=1"
