"""Contractive, regularised and Wasserstein autoencoders against their definitions."""

import math

import pytest
import torch

from ae_cls.autoencoder.parts.discrepancy import SCALES, squared_discrepancy
from ae_cls.autoencoder.parts.jacobian import squared_slope
from ae_cls.autoencoder.rae import sum_of_squares
from ae_cls.draws import Draws
from ae_cls.train.schedule import Schedule
from ae_cls.train.step import Group, make_optimiser
from tests.autoencoder.variants import draws, table, unit, variant
from tests.composed import described

SHAPE = (1, 8, 8)
PIXELS = 64


def test_the_slope_of_a_contractive_code_is_that_of_its_jacobian():
    model = variant("contractive", SHAPE).double()
    images = unit(table(SHAPE, 4)).double()
    found = model.squared_slope(images)
    for image, slope in zip(images, found, strict=True):
        jacobian = torch.func.jacrev(lambda x: model.encode(x[None])[0])(image)
        torch.testing.assert_close(jacobian.square().sum(), slope, rtol=1e-12, atol=0)


def test_a_contractive_loss_is_the_summed_error_and_the_slope():
    model = variant("contractive", SHAPE, words=["autoencoder.penalty=0.3"])
    images = unit(table(SHAPE))
    loss = model.loss(images, draws(24), 1.0)
    expected = PIXELS * loss.terms["mse"] + 0.3 * model.squared_slope(images).mean()
    torch.testing.assert_close(loss.total, expected)


def test_without_penalty_a_contractive_loss_is_that_of_a_tied_sigmoid_layer():
    model = variant("contractive", SHAPE, words=["autoencoder.penalty=0"])
    words = ["autoencoder.tied=true", "autoencoder.activation=sigmoid"]
    plain = variant("shallow", SHAPE, words=words)
    plain.load_state_dict(model.state_dict())
    images = unit(table(SHAPE))
    found, expected = (m.loss(images, draws(24), 1.0).total for m in (model, plain))
    torch.testing.assert_close(found, PIXELS * expected)


def test_the_mean_of_4096_random_directions_is_the_slope():
    count = 4096
    model = variant("rae", SHAPE).double().eval()
    latents = torch.randn(1, 16, generator=torch.Generator().manual_seed(0)).double()
    directions = Draws(3, 0, torch.arange(count)).normal("rae", 16).double()
    found = squared_slope(model.decode, latents.repeat(count, 1), directions)
    jacobian = torch.func.jacrev(lambda code: model.decode(code[None])[0])(latents[0])
    expected = jacobian.square().sum().item()
    assert found.mean().item() == pytest.approx(
        expected, abs=3 * found.std().item() / math.sqrt(count)
    )


def test_a_random_direction_works_where_no_gradient_is_wanted():
    points, directions = torch.randn(2, 5, 3).unbind()
    with torch.inference_mode():
        found = squared_slope(lambda x: 2 * x, points, directions)
    torch.testing.assert_close(found, 4 * directions.square().sum(1))


@pytest.mark.parametrize("kind", ["l2", "gradient_penalty"])
def test_without_penalties_the_loss_of_rae_is_the_summed_error_of_conv(kind):
    zero = ["autoencoder.code_penalty=0", "autoencoder.decoder_penalty=0"]
    model = variant("rae", SHAPE, words=[f"autoencoder.kind={kind}", *zero])
    words = [
        "autoencoder.target=pixels", "autoencoder.corruption=none", "autoencoder.decoder_width=64",
        "autoencoder.depth=1", "autoencoder.principal_path=false",
    ]  # fmt: skip
    plain = variant("conv", SHAPE, words=words)
    plain.load_state_dict(model.state_dict())
    images = unit(table(SHAPE))
    found, expected = (m.loss(images, draws(24), 1.0).total for m in (model, plain))
    torch.testing.assert_close(found, PIXELS * expected)


def test_the_penalties_of_rae_are_weighed_as_asked():
    words = ["autoencoder.code_penalty=0.5", "autoencoder.decoder_penalty=0.01"]
    model, images = variant("rae", SHAPE, words=words).eval(), unit(table(SHAPE))
    loss = model.loss(images, draws(24), 1.0)
    code = model.encode(images).square().sum(1).mean() / 2
    weights = sum(p.square().sum() for p in model.decoder.parameters() if p.ndim > 1)
    torch.testing.assert_close(sum_of_squares(model.decoder), weights)
    torch.testing.assert_close(loss.total, PIXELS * loss.terms["mse"] + 0.5 * code + 0.01 * weights)


def test_weight_decay_leaves_the_decoder_of_rae_alone():
    model = variant("rae", SHAPE)
    schedule = described("pretrain", "pretrain.weight_decay=0.5", "pretrain.lr=0.01").pretrain
    assert isinstance(schedule, Schedule)
    optimiser = make_optimiser([Group([model], 1.0, undecayed=model.undecayed())], schedule)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    shrunk = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert shrunk == {n for n, p in model.named_parameters() if p.ndim > 1 and "decoder" not in n}


def codes(count: int, size: int, seed: int) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed)).double()


def test_the_discrepancy_is_that_of_a_double_loop():
    own, prior = codes(9, 3, 0) * 2 + 1, codes(9, 3, 1)
    expected = 0.0
    for scale in SCALES:
        width = 2 * 3 * scale
        for i in range(9):
            for j in range(9):
                if i != j:
                    expected += width / (width + (own[i] - own[j]).square().sum()) / 72
                    expected += width / (width + (prior[i] - prior[j]).square().sum()) / 72
                expected -= 2 * width / (width + (own[i] - prior[j]).square().sum()) / 81
    torch.testing.assert_close(
        squared_discrepancy(own, prior, SCALES), expected, rtol=1e-12, atol=0
    )


def test_the_discrepancy_of_two_points_at_distance_1_is_two_thirds():
    found = squared_discrepancy(torch.zeros(6, 1), torch.ones(6, 1), (1.0,))
    assert found.item() == pytest.approx(2 / 3, rel=1e-6)


def test_the_discrepancy_of_normal_codes_is_0_on_average():
    found = torch.stack(
        [
            squared_discrepancy(codes(32, 4, 2 * i), codes(32, 4, 2 * i + 1), SCALES)
            for i in range(200)
        ]
    )
    assert found.min() < 0  # an unbiased estimate is
    assert found.mean().item() == pytest.approx(0, abs=3 * found.std().item() / math.sqrt(200))


def test_the_order_of_codes_does_not_matter():
    own, prior = codes(9, 3, 0), codes(9, 3, 1)
    torch.testing.assert_close(
        squared_discrepancy(own, prior, SCALES), squared_discrepancy(own.flip(0), prior, SCALES)
    )


def test_the_loss_of_wae_is_the_summed_error_and_the_discrepancy():
    model, images = variant("wae", SHAPE, words=["autoencoder.penalty=7"]), unit(table(SHAPE))
    model.eval()
    loss = model.loss(images, draws(24), 1.0)
    normal = draws(24).normal("wae", 16)
    expected = squared_discrepancy(model.encode(images), normal, SCALES)
    torch.testing.assert_close(loss.terms["mmd"], expected)
    torch.testing.assert_close(loss.total, PIXELS * loss.terms["mse"] + 7 * expected)


def test_half_precision_of_a_network_does_not_reach_the_discrepancy():
    own, prior = codes(50, 8, 0).float(), codes(50, 8, 1).float()
    plain = squared_discrepancy(own, prior, SCALES)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(squared_discrepancy(own, prior, SCALES), plain)
