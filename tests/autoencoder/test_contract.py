"""What every autoencoder must do, asked of every option in configs/autoencoder."""

import pytest
import torch

from ae_cls.errors import UsageError
from tests.autoencoder.variants import (
    CORRUPTIONS,
    SHAPES,
    TRAINED,
    VARIANTS,
    config,
    draws,
    table,
    unit,
    variant,
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", VARIANTS)
def test_shapes_follow_the_image(name, shape):
    model, images = variant(name, shape).eval(), unit(table(shape, 4))
    latents = model.encode(images)
    assert latents.shape[0] == 4
    assert model.decode(latents).shape == images.shape
    assert model.corrupted(images, draws(4)).shape == images.shape
    for maps in model.feature_maps(images):
        assert maps.shape[0] == 4
        assert maps.ndim == 4


@pytest.mark.parametrize("name", VARIANTS)
def test_codes_depend_neither_on_the_batch_nor_on_the_call(name):
    model, images = variant(name, (1, 28, 28)).eval(), unit(table((1, 28, 28)))
    latents = model.encode(images)
    assert torch.equal(latents, model.encode(images))
    one_by_one = torch.cat([model.encode(image[None]) for image in images.flip(0)]).flip(0)
    torch.testing.assert_close(latents, one_by_one, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(name):
    first, again, other = (variant(name, (1, 8, 8), seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    random = [key for key in first if first[key].unique().numel() > 1]
    assert all(not torch.equal(first[key], other[key]) for key in random)
    assert random or not config(name).has_gradients


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32)])
@pytest.mark.parametrize("name", TRAINED)
def test_eight_images_are_learnt_by_heart(name, shape):
    # Without what keeps a variant from copying: corruption, KL.
    words = ["autoencoder/corruption=none"]
    words += ["autoencoder.beta=0.0"] if "vae" in name else []
    model, images = variant(name, shape, words=words).train(), unit(table(shape, 8))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    first = None
    for step in range(300):
        loss = model.loss(images, draws(8, step), 1.0)
        first = first or float(loss.terms["mse"])
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
    assert float(model.loss(images, draws(8), 1.0).terms["mse"]) < first / 10


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_every_variant_takes_every_corruption(name, corruption):
    model = variant(name, (1, 8, 8), words=[f"autoencoder/corruption={corruption}"]).train()
    loss = model.loss(unit(table((1, 8, 8))), draws(24), 1.0)
    loss.total.backward()
    assert torch.isfinite(loss.total)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("name", TRAINED)
def test_gradients_agree_with_finite_differences(name):
    model = variant(name, (1, 8, 8)).double().eval()
    images = unit(table((1, 8, 8), 4)).double()
    parameters = [p for p in model.parameters() if p.ndim >= 2][:3]
    loss = model.loss(images, draws(4), 1.0).total
    gradients = torch.autograd.grad(loss, parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        place = tuple(int(i) for i in (gradient.abs() == gradient.abs().max()).nonzero()[0])
        step = 1e-6  # small: between two kinks of relu and max pooling the loss is smooth
        with torch.no_grad():
            totals = []
            for sign in (1, -1):
                parameter[place] += sign * step
                totals.append(float(model.loss(images, draws(4), 1.0).total))
                parameter[place] -= sign * step
        difference = (totals[0] - totals[1]) / (2 * step)
        assert difference == pytest.approx(float(gradient[place]), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_loss_says_the_clean_error(name):
    model, images = variant(name, (1, 28, 28)).eval(), unit(table((1, 28, 28)))
    words = ["autoencoder/corruption=none"] if name in TRAINED else []
    model = variant(name, (1, 28, 28), words=words).eval()
    terms = model.loss(images, draws(24), 1.0).terms
    if "vae" in name:  # its loss decodes a sample, not the mean
        assert set(terms) == {"mse", "sse", "kl"}
    else:
        expected = (model.decode(model.encode(images)) - images).square().mean()
        torch.testing.assert_close(terms["mse"], expected)


@pytest.mark.parametrize("name", ["conv", "vae"])
def test_images_too_small_are_refused_with_the_fix(name):
    with pytest.raises(UsageError, match="too small") as refused:
        variant(name, (1, 8, 8), words=["autoencoder.widths=[8,8,8,8]"])
    assert refused.value.code == 2
    assert "fewer widths" in refused.value.fix


def test_a_code_larger_than_the_image_is_refused_by_pca():
    with pytest.raises(UsageError, match="cannot keep 100 axes"):
        variant("pca", (1, 8, 8), words=["autoencoder.latent_dim=100"])


def test_large_colour_images_fit_the_default_networks():
    for name in VARIANTS:
        if name == "pca":
            continue  # its covariance needs its own path, tested apart
        model, images = variant(name, (3, 224, 224)).eval(), unit(table((3, 224, 224), 1))
        with torch.inference_mode():
            assert model.decode(model.encode(images)).shape == images.shape
