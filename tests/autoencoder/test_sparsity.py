"""Sparse codes against their definitions."""

import math

import pytest
import torch

from ae_cls.autoencoder.parts.sparsity import LargestOfBatch, LargestOfImage, divergence
from ae_cls.autoencoder.sparse import share_of_dead
from tests.autoencoder.variants import draws, table, unit, variant

SHAPE = (1, 8, 8)
KINDS = ("kl", "k_sparse", "winner_take_all")


def sparse(kind: str, *words: str):
    return variant("sparse", SHAPE, words=[f"autoencoder.kind={kind}", *words])


def test_the_divergence_of_activities_is_that_of_two_coins():
    means = torch.tensor([0.2, 0.05, 0.9], dtype=torch.float64, requires_grad=True)
    found = divergence(0.05, means)
    assert found[0].item() == pytest.approx(0.093943, abs=5e-7)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Bernoulli(torch.tensor(0.05, dtype=torch.float64)),
        torch.distributions.Bernoulli(means.detach()),
    )
    torch.testing.assert_close(found.detach(), expected)
    (slope,) = torch.autograd.grad(found[1], means)
    assert slope[1].item() == pytest.approx(0, abs=1e-12)


def test_a_unit_that_never_or_always_answers_costs_a_finite_number():
    assert torch.isfinite(divergence(0.05, torch.tensor([0.0, 1.0]))).all()


def test_exactly_k_units_of_each_image_are_kept_with_slope_1():
    units = torch.randn(50, 30, generator=torch.Generator().manual_seed(0), requires_grad=True)
    latents = LargestOfImage(active=0.1)(units, 1.0)
    assert set((latents != 0).sum(1).tolist()) == {3}
    assert torch.equal(latents[latents != 0], units[latents != 0])
    assert torch.equal(latents.amax(1), units.amax(1))
    (slopes,) = torch.autograd.grad(latents.sum(), units)
    assert torch.equal(slopes, (latents != 0).float())


def test_equal_units_are_still_only_k():
    latents = LargestOfImage(active=0.1)(torch.ones(5, 30), 1.0)
    assert set((latents != 0).sum(1).tolist()) == {3}


def test_of_each_unit_exactly_the_largest_answers_of_the_batch_are_kept():
    units = torch.rand(50, 30, generator=torch.Generator().manual_seed(0)).requires_grad_()
    latents = LargestOfBatch(active=0.05, units=30).train()(units, 1.0)
    assert set((latents != 0).sum(0).tolist()) == {math.ceil(0.05 * 50)}
    assert torch.equal(latents.amax(0), units.amax(0))
    (slopes,) = torch.autograd.grad(latents.sum(), units)
    assert torch.equal(slopes, (latents != 0).float())


def test_outside_training_a_unit_answers_as_often_as_it_did_in_training():
    sparsity, generator = LargestOfBatch(active=0.05, units=30), torch.Generator().manual_seed(0)
    for step in range(200):  # also while sparsity sets in: a validation may come at any time
        sparsity.train()(torch.rand(200, 30, generator=generator), step / 400)
    answers = sparsity.eval()(torch.rand(5000, 30, generator=generator), 1.0) != 0
    assert answers.float().mean(0).tolist() == pytest.approx([0.05] * 30, abs=0.02)


@pytest.mark.parametrize("kind", ["k_sparse", "winner_take_all"])
def test_sparsity_sets_in_over_the_warm_up(kind):
    model, images = sparse(kind, "autoencoder.warm_up=0.5").train(), unit(table(SHAPE))
    plain = model.decode(model.units(images)).sub(images).square().mean()
    totals = [model.loss(images, draws(24), progress).total for progress in (0.0, 0.25, 0.5, 1.0)]
    torch.testing.assert_close(totals[0], plain)
    assert not torch.equal(totals[1], totals[0])
    assert not torch.equal(totals[2], totals[1])
    assert torch.equal(totals[3], totals[2])


@pytest.mark.parametrize("kind", KINDS)
def test_without_sparsity_the_loss_is_that_of_a_plain_layer(kind):
    model = sparse(kind, "autoencoder.penalty=0", "autoencoder.warm_up=0").train()
    if kind != "kl":
        model.sparsity.active = 1.0
    activation, tied = ("sigmoid", "false") if kind == "kl" else ("relu", "true")
    words = [f"autoencoder.activation={activation}", f"autoencoder.tied={tied}"]
    plain = variant("shallow", SHAPE, words=words)
    if kind == "k_sparse":
        plain.activation = torch.nn.Identity()
    weights = {key: value for key, value in model.state_dict().items() if "threshold" not in key}
    plain.to_latent, plain.to_pixels, plain.bias = model.to_latent, model.to_pixels, model.bias
    assert plain.state_dict().keys() == weights.keys()
    images = unit(table(SHAPE))
    found, expected = (m.loss(images, draws(24), 1.0).total for m in (model, plain))
    # That of kl is half the sum over the pixels.
    torch.testing.assert_close(found, expected * (32 if kind == "kl" else 1))


def test_the_penalty_is_that_of_the_mean_units():
    model, images = sparse("kl", "autoencoder.penalty=3").train(), unit(table(SHAPE))
    loss = model.loss(images, draws(24), 1.0)
    expected = 3 * divergence(0.05, model.units(images).mean(0)).sum()
    torch.testing.assert_close(loss.total - 32 * loss.terms["mse"], expected)


def test_units_and_pixels_begin_at_their_means():
    model, images = sparse("k_sparse"), table(SHAPE)
    model.fit_closed_form(images, seed=0)
    torch.testing.assert_close(
        model.units(unit(images)).mean(0), torch.zeros(512), rtol=0, atol=1e-5
    )
    torch.testing.assert_close(model.decode(torch.zeros(1, 512))[0], unit(images).mean(0))


@pytest.mark.parametrize("kind", ["k_sparse", "winner_take_all"])
def test_features_are_what_the_units_answer_before_any_is_silenced(kind):
    model, images = sparse(kind).eval(), unit(table(SHAPE))
    (maps,) = model.feature_maps(images)
    assert torch.equal(maps[:, :, 0, 0], model.units(images).relu())


def test_units_that_never_change_are_dead():
    latents = torch.rand(50, 8, generator=torch.Generator().manual_seed(0))
    latents[:, :2] = torch.tensor([0.0, 0.7])
    assert share_of_dead(latents).item() == 0.25
