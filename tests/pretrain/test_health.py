"""What is measured of a network after each epoch, and that broken ones are named."""

import copy
from functools import cache

import numpy as np
import pytest
import torch

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.compute import Compute
from ae_cls.evaluate.health import code_warnings, network_warnings
from ae_cls.evaluate.yardsticks import Yardsticks
from ae_cls.experiment.descriptions import Pretraining
from ae_cls.pretrain.health import HealthCheck
from ae_cls.run.data import prepare
from ae_cls.train.record import kept
from ae_cls.train.task import TrainTask
from tests.autoencoder.variants import TRAINED, table, unit, variant
from tests.composed import described

CPU = Compute(torch.device("cpu"), "fp32")
DIGITS = ("device=cpu", "precision=fp32", "threads=1")
SMALL = ("autoencoder.widths=[16,32]", "pretrain.min_steps=150", "pretrain.lr=0.01")


def task(count: int = 24) -> TrainTask:
    images = table((1, 8, 8), count)
    return TrainTask(train=images, valid=images, mirrored_is_same=False, seed=0, compute=CPU)


@pytest.mark.parametrize("name", TRAINED)
def test_every_variant_is_measured_the_same_each_time(name):
    model = variant(name, (1, 8, 8))
    check = HealthCheck.of(model, task())
    health = check.measure(model.train())
    assert health == check.measure(model)
    assert {"size", "rank", "dead", "dead_channels", "saturated", "mse"} <= set(health)
    assert ("kl" in health) == (name in ("vae", "beta_vae", "gmvae"))
    assert ("perplexity" in health) == (name == "vqvae")
    assert all(np.isfinite(value) for value in health.values())


def test_measures_are_those_of_the_definitions():
    model, images = variant("vae", (1, 8, 8)).eval(), unit(table((1, 8, 8), 24))
    health = HealthCheck.of(model, task()).measure(model)
    with torch.inference_mode():
        codes = model.encode(images)
        error = (model.decode(codes) - images).square().mean().item()
        divergence = model.posterior(images).divergence().sum(1).mean().item()
    assert health["mse"] == pytest.approx(error, rel=1e-5)
    assert health["kl"] == pytest.approx(divergence, rel=1e-4)
    assert health["active"] == int((codes.var(0, correction=0) > 0.01).sum())
    yardsticks = Yardsticks.fit(images.numpy(), code_size=16, seed=0)
    rebuilt = yardsticks.rebuilt(images.numpy())["pca"]
    assert health["pca_mse"] == pytest.approx(np.square(rebuilt - images.numpy()).mean(), rel=1e-5)


def test_of_a_code_as_long_as_an_image_there_is_no_floor():
    model = variant("conv", (1, 8, 8), words=("autoencoder.principal_path=false",))
    model.to_latent = torch.nn.Linear(model.to_latent.in_features, 64)
    assert set(HealthCheck.of(model, task()).floors) == {"mean_image_mse"}


def test_numbers_that_are_not_finite_are_not_measured():
    model = variant("conv", (1, 8, 8))
    check = HealthCheck.of(model, task())
    with torch.no_grad():
        model.to_latent.bias.fill_(torch.nan)
    assert check.measure(model) == {}


@cache
def trained(*words: str) -> tuple[Autoencoder, HealthCheck]:
    """On digits."""
    found = described("pretrain", *DIGITS, *words)
    assert isinstance(found, Pretraining)
    data = prepare(found)
    model = copy.deepcopy(data.network)
    on = TrainTask(
        train=data.images(data.split.pretrain), valid=data.images(data.split.valid),
        mirrored_is_same=False, seed=0, compute=data.compute,
    )  # fmt: skip
    history = found.pretrain.fit(model, on)
    last, check = kept(history), HealthCheck.of(model, on)
    assert last is not None and last.health == check.measure(model)
    return model, check


def said(model: Autoencoder, check: HealthCheck) -> str:
    health = check.measure(model)
    return "; ".join([*code_warnings(health), *network_warnings(health)])


def one_direction(model):
    for weight in (model.to_latent.weight, model.path.axes):
        weight[1:] = weight[0]


def silent_channels(model):
    last_norm = model.trunk.stages[-1][-2]
    last_norm.bias[:28], last_norm.weight[:28] = -1.0, 0.0  # of 32


def bright(model):
    model.decoder.to_pixels[2].bias += 2.0


def one_entry(model):
    model.codebook.codes[1:] = 1e3


@pytest.mark.parametrize(
    ("name", "breaks", "says"),
    [
        ("conv", one_direction, "differ in hardly more than one direction"),
        ("conv", silent_channels, "of the channels of the deepest map are the same"),
        ("conv", bright, "of rebuilt pixels lie outside [0, 1]"),
        ("vqvae", one_entry, "the codebook has collapsed: 1 of its"),
    ],
)
def test_a_trained_network_gives_no_warning_until_it_is_broken(name, breaks, says):
    model, check = trained(f"autoencoder={name}", *SMALL)
    assert said(model, check) == ""
    broken = copy.deepcopy(model)
    with torch.no_grad():
        breaks(broken)
    assert says in said(broken, check)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("autoencoder=vae", "autoencoder.beta=100", "autoencoder.principal_path=false"),
            "the code has collapsed: 0 of its",
        ),
        (
            ("autoencoder=conv", "autoencoder.principal_path=false", "pretrain.lr=1e-12"),
            "next to nothing has been learnt",
        ),
        (
            ("autoencoder=deep", "autoencoder.latent_dim=32", "pretrain.min_steps=40"),
            "a code of 32 numbers rebuilds far worse",
        ),
    ],
)
def test_settings_that_cannot_work_are_named(words, says):
    small = () if "autoencoder=deep" in words else SMALL[:1]
    assert says in said(*trained("pretrain=quick", *small, *words))


@pytest.mark.slow
def test_the_default_on_digits_gives_no_warning():
    assert said(*trained()) == ""
