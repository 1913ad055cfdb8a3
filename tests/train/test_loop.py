"""The training loop: what it promises about batches, rates, best epochs and faults."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows
from ae_cls.errors import TrainingError
from ae_cls.experiment.descriptions import Pretraining
from ae_cls.pretrain.gradient import GradientPretraining, validation_loss
from ae_cls.train.loop import optimise
from ae_cls.train.loss import Loss
from ae_cls.train.order import passes
from ae_cls.train.record import Score
from ae_cls.train.step import Group
from ae_cls.train.task import Objective, TrainTask
from ae_cls.train.trial import TRIAL
from tests.autoencoder.variants import table, variant
from tests.composed import described, options

CPU = Compute(torch.device("cpu"), "fp32")


def schedule(*words: str) -> GradientPretraining:
    small = ["pretrain=quick", "pretrain.batch_size=8", "pretrain.min_steps=1"]
    found = described("pretrain", *small, *(f"pretrain.{word}" for word in words))
    assert isinstance(found, Pretraining)
    assert isinstance(found.pretrain, GradientPretraining)
    return found.pretrain


def fit(model, train: ImageRows, *words: str, seed: int = 0):
    return schedule(*words).fit(model, task(train, seed=seed))


def task(train: ImageRows, *, seed: int = 0) -> TrainTask:
    valid = table((1, 8, 8), 10)
    return TrainTask(train=train, valid=valid, mirrored_is_same=False, seed=seed, compute=CPU)


class OneWeight(nn.Module):
    """loss = (weight - 1)^2, or whatever `loss_at` says."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1))


def optimise_one_weight(network, *words: str, loss_of_batch=None, validate=None):
    def plain(images, positions, draws, progress):
        return Loss((network.weight - 1).square().sum(), {})

    def in_training(images, positions, draws, progress):
        chosen = plain if draws.epoch == TRIAL else loss_of_batch or plain
        return chosen(images, positions, draws, progress)

    objective = Objective(
        stage="test",
        network=network,
        groups=[Group([network], 1.0)],
        loss_of_batch=in_training,
        validate=validate
        or (lambda _: Score(float((network.weight.detach() - 1).square()), {"loss": 0.0})),
    )
    return optimise(objective, task(table((1, 8, 8), 20)), schedule(*words))


@pytest.mark.parametrize("name", [name for name in options("pretrain") if name != "none"])
def test_every_schedule_lowers_the_loss(name):
    short = ("pretrain.epochs=3", "pretrain.min_steps=60", "pretrain.batch_size=8")
    found = described("pretrain", f"pretrain={name}", *short)
    model = variant("conv", (1, 8, 8))
    history = found.pretrain.fit(model, task(table((1, 8, 8), 64)))
    for stage in {record.stage for record in history}:  # each has a loss of its own
        losses = [record.train["loss"] for record in history if record.stage == stage]
        assert losses[-1] < losses[0]
    assert all(math.isfinite(value) for record in history for value in record.valid.values())


def test_none_leaves_the_network_as_it_was():
    found = described("pretrain", "pretrain=none")
    model = variant("pca", (1, 8, 8))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    history = found.pretrain.fit(model, task(table((1, 8, 8), 10)))
    assert history == []
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_random_weights_know_mean_and_variance_of_the_images_and_nothing_else():
    model, images = variant("conv", (1, 8, 8)), table((1, 8, 8), 130)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    first = next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    seen = []
    # Copies: the activation behind works in place.
    first.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output.clone())))
    described("pretrain", "pretrain=none").pretrain.fit(model, task(images))
    assert all(torch.equal(before[name], own) for name, own in model.named_parameters())
    assert [len(inputs) for inputs, _ in seen] == [44, 43, 43]
    means = torch.stack([inputs.mean((0, 2, 3)) for inputs, _ in seen]).mean(0)
    torch.testing.assert_close(first.running_mean, means)
    assert first.momentum == 0.1 and not first.training
    model.feature_maps(images.take(torch.arange(130)) / 255)
    output = seen[-1][1]
    torch.testing.assert_close(output.mean((0, 2, 3)), first.bias.detach(), atol=0.02, rtol=0)
    torch.testing.assert_close(output.std((0, 2, 3)), first.weight.detach(), atol=0.05, rtol=0)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    def weights(seed: int) -> torch.Tensor:
        model = variant("conv", (1, 8, 8))
        fit(model, table((1, 8, 8), 20), seed=seed)
        return model.to_latent.weight.detach()

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


@pytest.mark.parametrize(("count", "batch_size"), [(20, 8), (8, 8), (3, 8), (16, 4)])
def test_each_pass_takes_every_image_once_in_a_new_order(count, batch_size):
    positions = passes(count, batch_size, seed=0)
    steps = math.ceil(count / batch_size)
    whole = []
    for number in range(3):
        batches = [positions(number * steps + step) for step in range(steps)]
        assert {index for index, _ in batches} == {number}
        whole.append(torch.cat([batch for _, batch in batches]).tolist())
        assert sorted(whole[-1]) == list(range(count))
    assert whole[0] != whole[1]


def test_a_small_set_is_passed_over_until_there_are_so_many_steps():
    seen = []
    network = OneWeight()

    def loss_of_batch(images, positions, draws, progress):
        seen.append((draws.epoch, len(positions)))
        return Loss((network.weight - 1).square().sum(), {})

    optimise_one_weight(network, "min_steps=14", "epochs=2", loss_of_batch=loss_of_batch)
    # 20 images in batches of 8: 8, 8, 4; a pass has its own draws.
    assert [length for _, length in seen] == ([8, 8, 4] * 5)[:14]
    assert [epoch for epoch, _ in seen] == [step // 3 for step in range(14)]


def test_the_rate_warms_up_and_ends_at_0():
    one = schedule("lr=0.5", "warm_up=0.2")
    assert one.lr_at(0.0) == 0
    assert one.lr_at(0.1) == pytest.approx(0.25)
    assert one.lr_at(0.2) == pytest.approx(0.5)
    assert one.lr_at(0.6) == pytest.approx(0.25)
    assert one.lr_at(1.0) == pytest.approx(0, abs=1e-12)


def test_weights_of_the_best_validation_epoch_are_kept():
    network, scores = OneWeight(), iter([3.0, 1.0, 2.0])
    weights = []

    def validate(_: int) -> Score:
        weights.append(float(network.weight.detach()))
        return Score(next(scores), {"loss": 0.0})

    history = optimise_one_weight(network, "epochs=3", "lr=0.1", validate=validate)
    assert [record.best for record in history] == [True, True, False]
    assert float(network.weight.detach()) == weights[1]
    assert weights[1] != weights[2]


def test_patience_stops_after_that_many_epochs_without_a_better_score():
    network, scores = OneWeight(), iter([3.0, 1.0, 2.0, 2.0, 2.0, 0.5])
    history = optimise_one_weight(
        network, "epochs=6", "patience=2", validate=lambda _: Score(next(scores), {"loss": 0.0})
    )
    assert len(history) == 4


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_weights_are_spoilt(value):
    network, steps = OneWeight(), []

    def loss_of_batch(images, positions, draws, progress):
        steps.append(float(network.weight.detach()))
        factor = value if len(steps) == 3 else 1.0
        return Loss(((network.weight - 1).square() * factor).sum(), {})

    with pytest.raises(TrainingError, match="test, step 3 of 9") as stopped:
        optimise_one_weight(network, loss_of_batch=loss_of_batch)
    assert stopped.value.code == 4
    assert float(network.weight.detach()) == steps[2]


def test_a_score_that_is_never_finite_is_an_error():
    with pytest.raises(TrainingError, match="no validation"):
        optimise_one_weight(OneWeight(), validate=lambda _: Score(math.nan, {}))


def test_a_score_that_is_not_finite_is_never_the_best():
    network, scores = OneWeight(), iter([math.nan, 5.0, math.nan])
    history = optimise_one_weight(
        network, "epochs=3", validate=lambda _: Score(next(scores), {"loss": 0.0})
    )
    assert [record.best for record in history] == [False, True, False]


def test_biases_and_norms_do_not_decay():
    model = variant("conv", (1, 8, 8))
    with torch.no_grad():
        model.to_latent.bias.fill_(1.0)
        model.to_latent.weight.fill_(1.0)

    def loss_of_batch(images, positions, draws, progress):
        return Loss(sum(p.sum() * 0 for p in model.parameters()), {})

    objective = Objective(
        stage="test", network=model, groups=[Group([model], 1.0)],
        loss_of_batch=loss_of_batch, validate=lambda _: Score(0.0, {}),
    )  # fmt: skip
    words = ("weight_decay=0.5", "lr=0.1", "min_steps=9")
    optimise(objective, task(table((1, 8, 8), 8)), schedule(*words))
    assert torch.equal(model.to_latent.bias, torch.ones_like(model.to_latent.bias))
    assert float(model.to_latent.weight.detach().max()) < 1


def test_validation_corrupts_alike_each_time_and_is_not_trained_on():
    model, images = variant("conv", (1, 8, 8)), table((1, 8, 8), 10)
    first, again = (validation_loss(model, task(images)) for _ in range(2))
    assert first == again
    assert first.value != validation_loss(model, task(images, seed=1)).value


def test_labels_are_not_within_reach_of_pretraining():
    # Only images are passed: a view of rows has no labels at all.
    assert not [
        name
        for name in vars(ImageRows(torch.zeros(1, 1, 8, 8).byte(), np.arange(1)))
        if "label" in name
    ]


def test_a_last_batch_of_one_image_is_trained_on():
    history = fit(variant("conv", (1, 8, 8)), table((1, 8, 8), 17), "min_steps=1")
    assert math.isfinite(history[-1].train["loss"])
