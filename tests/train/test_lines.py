"""What a training says: where it is, both losses, how long it takes."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ae_cls.dataset.rows import ImageRows
from ae_cls.terminal import progress
from ae_cls.terminal.duration import clock, roughly
from ae_cls.train.augment import Augment
from ae_cls.train.lines import forecast, of_stretch, under_way
from ae_cls.train.loss import Loss
from ae_cls.train.record import EpochRecord
from ae_cls.train.trial import TRIAL, Trial
from tests.autoencoder.variants import table
from tests.train.test_loop import fit, schedule, task, variant

LARGE = schedule("epochs=10", "batch_size=256", "min_steps=200")


def record(step: int, **valid: float) -> EpochRecord:
    train = {"loss": 0.03125, "mse": 0.03125}
    return EpochRecord("pretrain", 1, step, 0.1, 1.0, 5120.4, train, valid, best=True)


def test_a_line_names_epoch_losses_and_speed() -> None:
    line = of_stretch(record(3 * 211, loss=0.0308, mse=0.0308), LARGE, 54_000)
    assert line == (
        "pretrain  epoch 3/10  training loss 0.03125, validation 0.0308  5,120 images/s"
    )


def test_a_line_of_a_small_set_counts_steps() -> None:
    assert "pretrain  step 40/200  training" in of_stretch(record(40, loss=1.0), LARGE, 216)


def test_terms_stand_in_brackets_where_the_loss_is_their_sum() -> None:
    line = of_stretch(record(211, loss=0.5, mse=0.2, kl=0.3), LARGE, 54_000)
    assert "validation 0.5 (mse 0.2, kl 0.3)" in line


def test_health_and_probe_stand_behind_the_losses() -> None:
    code = {"size": 64, "rank": 20.44, "mse": 0.02, "pca_mse": 0.01}
    vae, codebook = {"active": 12, "kl": 9.0}, {"entries": 256, "used": 90, "perplexity": 60.0}
    said = replace(record(211, loss=0.5), health=code | vae | codebook, probe=0.8125)
    assert of_stretch(said, LARGE, 54_000).endswith(
        "validation 0.5, code: rank 20.4 of 64, 12 active, 90 of 256 entries in use, "
        "2 x PCA's error, probe 81.2 %  5,120 images/s"
    )


def test_a_loss_that_rounds_to_nothing_has_no_sign() -> None:
    assert "validation 0 " in of_stretch(record(211, loss=-0.0), LARGE, 54_000)


def test_a_line_within_an_epoch_counts_steps_too() -> None:
    line = under_way("pretrain", LARGE, step=300, images=54_000, train={"loss": 0.25})
    assert line == "pretrain  epoch 2/10  step 300/2110  training loss 0.25"


def test_a_forecast_of_epochs_says_how_long_each_takes() -> None:
    said = forecast("pretrain", LARGE, done=0, images=54_000, validated=6_000, rate=4_873.0)
    assert said == (
        "pretrain: about 2 min: 10 epochs of 54,000 images at 4,900 images/s, 11 s each"
    )
    later = forecast("pretrain", LARGE, done=1055, images=54_000, validated=6_000, rate=4_873.0)
    assert later.startswith("pretrain: about 55 s more: ")


def test_a_forecast_of_steps_says_how_often_the_set_is_passed_over() -> None:
    early = LARGE.model_copy(update={"patience": 3, "batch_size": None})
    assert forecast("pretrain", early, done=0, images=216, validated=24, rate=310.0) == (
        "pretrain: up to about 20 s: 200 steps (min_steps) of 32 images at 310 images/s, "
        "29 passes over 216"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.1, "1 s"), (2.3, "2.5 s"), (7.2, "7 s"), (42.0, "40 s"), (100.0, "1.5 min"),
        (600.0, "10 min"), (9_000.0, "2.5 h"), (300_000.0, "3 days"),
    ],
)  # fmt: skip
def test_an_estimate_is_as_exact_as_it_deserves(seconds: float, said: str) -> None:
    assert roughly(seconds) == said


def test_a_clock_has_hours_only_where_there_are_some() -> None:
    assert [clock(7.4), clock(760.0), clock(11_100.0)] == ["0:07", "12:40", "3:05:00"]


def test_a_trial_leaves_the_network_as_it_was() -> None:
    network = variant("conv", (1, 8, 8)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    sizes = []

    def loss_of_batch(images, positions, draws, progress):
        assert draws.epoch == TRIAL
        sizes.append(len(positions))
        return network.loss(images, draws, progress)

    still = Augment(flip=False, shift=0, scale=0, brightness=0, erase=0)
    trial = Trial(network, loss_of_batch, still, task(table((1, 8, 8), 20)), batch_size=8)
    rate = trial.images_per_second(most_threads=2)
    assert rate > 0
    assert sizes[0] == 2 and max(sizes) <= 8
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_one_large_batch_is_not_tried_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ae_cls.train.trial._ENOUGH", 0.0)
    network, sizes = nn.Linear(1, 1), []

    def loss_of_batch(images, positions, draws, progress):
        sizes.append(len(positions))
        return Loss(network.weight.sum(), {})

    still = Augment(flip=False, shift=0, scale=0, brightness=0, erase=0)
    trial = Trial(network, loss_of_batch, still, task(table((1, 8, 8), 20)), batch_size=16)
    trial.images_per_second(most_threads=None)
    assert sizes == [2, 2, 2, 2]


def test_without_a_terminal_lines_come_in_time_not_at_every_step(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A clock that goes on by four seconds whenever it is read."""
    now = iter(np.arange(0.0, 1e6, 4.0))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(now)))
    with caplog.at_level(logging.INFO), progress.Progress("decoding", total=9, unit="images") as it:
        for _ in range(9):
            it.advance()
    said = [line for line in caplog.messages if line.startswith("decoding")]
    assert 2 <= len(said) <= 4
    assert said[0].startswith("decoding  3/9 images  ") and said[0].endswith(" left")


def test_a_training_says_how_long_it_takes_before_its_first_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    images = table((1, 8, 8), 20)
    assert isinstance(images, ImageRows)
    with caplog.at_level(logging.INFO):
        fit(variant("conv", (1, 8, 8)), images, "epochs=2")
    said = [line for line in caplog.messages if line.startswith("pretrain")]
    assert said[0].startswith("pretrain: about 1 s: 2 epochs of 20 images at ")
    assert "epoch 1/2  training loss " in said[1] and said[1].endswith(" left")
    assert "epoch 2/2  training loss " in said[2] and said[2].endswith(" images/s")
