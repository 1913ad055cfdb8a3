"""Encoder and discriminator each follow the slope of their own cost."""

import math

import pytest
import torch

from ae_cls.autoencoder.aae import Aae
from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.parts.discrepancy import SCALES, squared_discrepancy
from ae_cls.autoencoder.parts.discriminator import Discriminator
from ae_cls.compute import Compute
from ae_cls.experiment.descriptions import Pretraining
from ae_cls.train.task import TrainTask
from tests.autoencoder.variants import digit_rows, draws, table, unit, variant
from tests.composed import described

SHAPE = (1, 8, 8)
PIXELS = 64
WEIGHTS = (2.0, 1.5, 0.5)  # their product is the slope of the odds for positive numbers: 1.5


def one_unit_a_layer() -> Discriminator:
    """The odds are 1.5 times a positive number, and 0 of a negative one."""
    discriminator = Discriminator(1, 1).double()
    with torch.no_grad():
        for layer, weight in zip(discriminator.layers[::2], WEIGHTS, strict=True):
            layer.weight.fill_(weight)
            layer.bias.zero_()
    return discriminator


def sigmoid(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))


def test_codes_follow_the_cost_that_does_not_saturate() -> None:
    codes = torch.tensor([[0.4], [1.2]], dtype=torch.float64, requires_grad=True)
    discriminator = one_unit_a_layer()
    game = discriminator.game(codes, torch.ones(2, 1).double())
    game.encoder.backward()
    expected = [[-sigmoid(-1.5 * code) * 1.5 / 2] for code in (0.4, 1.2)]
    assert codes.grad is not None
    assert codes.grad.tolist() == [pytest.approx(row) for row in expected]
    assert all(weight.grad is None for weight in discriminator.parameters())


def test_the_discriminator_follows_the_cost_of_its_answers_and_its_steepness() -> None:
    code, draw = 0.4, 1.2
    codes = torch.tensor([[code]], dtype=torch.float64, requires_grad=True)
    discriminator = one_unit_a_layer()
    game = discriminator.game(codes, torch.tensor([[draw]]).double())
    game.discriminator.backward()
    first, second, last = WEIGHTS
    inner = first * second  # what the last weight is multiplied with is this times the number
    answers = (sigmoid(1.5 * code) * inner * code - sigmoid(-1.5 * draw) * inner * draw) / 2
    steepness = 10 * inner**2 * last  # of half of 10 times the squared slope
    assert float(discriminator.layers[4].weight.grad) == pytest.approx(answers + steepness)
    assert codes.grad is None


def aae(*words: str) -> Aae:
    model = variant("aae", SHAPE, words=words)
    assert isinstance(model, Aae)
    return model


def steepest(parameter: torch.nn.Parameter) -> tuple[tuple[int, ...], float]:
    """Where its gradient is largest, and that gradient."""
    assert parameter.grad is not None
    place = divmod(int(parameter.grad.abs().argmax()), parameter.shape[1])
    return place, float(parameter.grad[place])


def test_each_player_of_a_network_has_the_slope_of_its_own_cost() -> None:
    model, images = aae("autoencoder.penalty=3").double().train(), unit(table(SHAPE)).double()
    model.loss(images, draws(24), 0.0).total.backward()
    assert model.discriminator is not None
    discriminator = model.discriminator
    normal = draws(24).normal("aae", 16).double()

    def cost_of_encoder() -> float:
        latents = model.encode(images)
        error = (model.decode(latents) - images).square().mean()
        cost = PIXELS * error + 3 * discriminator.game(latents, normal).encoder
        return float(cost.detach())

    def cost_of_discriminator() -> float:
        return float(discriminator.game(model.encode(images), normal).discriminator.detach())

    for parameter, cost in (
        (model.to_latent.weight, cost_of_encoder),
        (discriminator.layers[2].weight, cost_of_discriminator),
    ):
        place, slope = steepest(parameter)
        with torch.no_grad():
            parameter[place] += 1e-6
        above = cost()
        with torch.no_grad():
            parameter[place] -= 2e-6
        assert (above - cost()) / 2e-6 == pytest.approx(slope, rel=1e-4)
        with torch.no_grad():
            parameter[place] += 1e-6


def test_half_precision_of_a_network_does_not_reach_the_discriminator() -> None:
    discriminator, codes = Discriminator(16, 8), torch.randn(24, 16)
    with torch.autocast("cpu", torch.bfloat16):
        odds = discriminator(codes)
    assert torch.equal(odds, discriminator(codes))


def test_validation_judges_the_reconstruction() -> None:
    model, images = aae().eval(), unit(table(SHAPE))
    with torch.inference_mode():
        loss = model.loss(images, draws(24), 1.0)
    torch.testing.assert_close(loss.total, PIXELS * loss.terms["mse"])


def trained(model: Autoencoder, steps: int) -> Autoencoder:
    found = described("pretrain", "pretrain=quick", f"pretrain.min_steps={steps}")
    assert isinstance(found, Pretraining)
    compute = Compute(torch.device("cpu"), "fp32")
    train, valid = digit_rows(0, 800), digit_rows(800, 900)
    found.pretrain.fit(model, TrainTask(train, valid, False, 0, compute))
    return model.eval()


def test_without_penalty_the_bytes_are_those_of_the_plain_autoencoder() -> None:
    found, plain = (
        trained(variant(name, SHAPE, words=["autoencoder.penalty=0"]), 12).state_dict()
        for name in ("aae", "wae")
    )
    assert found.keys() == plain.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in plain.items())


def test_codes_of_digits_come_to_look_normal_while_images_are_rebuilt() -> None:
    images, means, spreads, discrepancies = unit(digit_rows())[900:1400], [], [], []
    normal = draws(500).normal("test", 16)
    for penalty in (0, 3):
        words = [f"autoencoder.penalty={penalty}", "autoencoder.patch=2"]
        model = trained(variant("aae", SHAPE, words=words), 150)
        with torch.inference_mode():
            latents = model.encode(images)
            error = (model.decode(latents) - images).square().mean()
        means.append(float(latents.mean(0).abs().mean()))
        spreads.append(float((latents.std(0) - 1).abs().mean()))
        discrepancies.append(float(squared_discrepancy(latents, normal, SCALES)))
    assert means[1] < means[0] / 2
    assert spreads[1] < spreads[0]
    assert discrepancies[1] < discrepancies[0] / 2
    assert error < (images - images.mean(0)).square().mean() / 3
