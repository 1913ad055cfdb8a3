"""What every autoencoder must do, asked of every option in configs/autoencoder.

No test here looks at a name: where variants differ, the config says how.
"""

import pytest
import torch

from ae_cls.autoencoder.contract import build
from ae_cls.draws import Draws
from ae_cls.errors import UsageError
from ae_cls.machine.threads import threads_limited
from tests.autoencoder.variants import (
    CORRUPTED,
    CORRUPTIONS,
    SHAPES,
    TRAINED,
    VARIANTS,
    config,
    corrupted,
    draws,
    table,
    unit,
    variant,
)

EXACT = [name for name in TRAINED if config(name).has_exact_gradients]
DECODING = [name for name in VARIANTS if config(name).decodes]


def uncorrupted(name: str) -> list[str]:
    """The words that leave its training images clean."""
    return ["autoencoder/corruption=none"] if name in CORRUPTED else []


@pytest.mark.parametrize("name", VARIANTS)
def test_the_small_instance_is_a_valid_config_of_the_same_variant(name):
    small = config(name).small()
    assert type(small) is type(config(name))
    assert type(small).model_validate(small.model_dump()) == small
    assert small.small() == small


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", VARIANTS)
def test_shapes_follow_the_image(name, shape):
    model, images = variant(name, shape).eval(), unit(table(shape, 4))
    latents = model.encode(images)
    assert latents.shape[0] == 4
    assert model.corrupted(images, draws(4)).shape == images.shape
    for maps in model.feature_maps(images):
        assert maps.shape[0] == 4
        assert maps.ndim == 4


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", VARIANTS)
def test_codes_become_images_unless_the_config_says_otherwise(name, shape):
    model, images = variant(name, shape).eval(), unit(table(shape, 4))
    latents = model.encode(images)
    if config(name).decodes:
        assert model.decode(latents).shape == images.shape
    else:
        with pytest.raises(NotImplementedError, match="does not decode"):
            model.decode(latents)


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


@pytest.mark.parametrize("name", VARIANTS)
def test_the_first_weights_do_not_depend_on_the_number_of_threads(name):
    """Not of a small instance: a product of a few numbers is left to one thread anyhow."""
    weights = []
    for threads in (1, 2):
        with threads_limited(threads):
            weights.append(build(config(name), (1, 28, 28), 0).state_dict())
    assert all(torch.equal(weights[1][key], tensor) for key, tensor in weights[0].items())


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32)])
@pytest.mark.parametrize("name", TRAINED)
def test_eight_images_are_learnt_by_heart(name, shape):
    model = variant(name, shape, words=uncorrupted(name)).train()
    images = unit(table(shape, 8))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss(step):
        # At the beginning of a warm-up: nothing keeps a variant from copying yet.
        return model.loss(images, draws(8, step), progress=0.0)

    first = error = float(loss(0).terms["mse"].detach())
    for step in range(300):
        optimiser.zero_grad()
        loss(step).total.backward()
        optimiser.step()
        if step % 20 == 19 and (error := float(loss(0).terms["mse"].detach())) < first / 10:
            break
    assert error < first / 10


@pytest.mark.parametrize("name", CORRUPTED)
def test_a_corruption_is_the_same_in_every_variant_that_takes_one(name):
    """So that not every pair below has to be composed."""
    words = ("autoencoder/corruption=gaussian", "autoencoder.corruption.deviation=0.3")
    assert config(name, *words) == corrupted(name, "gaussian", "deviation=0.3")


@pytest.mark.parametrize("name", CORRUPTED)
@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_variant_with_corruption_takes_every_corruption(name, corruption):
    model = build(corrupted(name, corruption).small(), (1, 8, 8), 0).train()
    loss = model.loss(unit(table((1, 8, 8))), draws(24), 1.0)
    loss.total.backward()
    assert torch.isfinite(loss.total)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("name", EXACT)
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


@pytest.mark.parametrize("name", DECODING)
def test_a_loss_says_the_clean_error(name, monkeypatch):
    # Without noise a sampled code is its mean, which is what `encode` gives.
    monkeypatch.setattr(
        Draws, "normal", lambda self, purpose, count: torch.zeros(len(self.samples), count)
    )
    model = variant(name, (1, 28, 28), words=uncorrupted(name)).eval()
    images = unit(table((1, 28, 28)))
    expected = (model.decode(model.encode(images)) - images).square().mean()
    mse = model.loss(images, draws(24), 1.0).terms["mse"]
    # Closely: codes of a network that has learnt nothing hardly change its images.
    torch.testing.assert_close(mse, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", VARIANTS)
def test_tiny_images_are_encoded_or_refused_with_the_fix(name):
    try:
        model = config(name).build((1, 2, 2)).eval()
    except UsageError as refusal:
        assert refusal.where.startswith("autoencoder.")
        assert refusal.fix
    else:
        assert model.encode(unit(table((1, 2, 2), 4))).shape[0] == 4


@pytest.mark.parametrize("name", VARIANTS)
def test_large_colour_images_are_encoded(name):
    model, images = variant(name, (3, 224, 224)).eval(), unit(table((3, 224, 224), 1))
    with torch.inference_mode():
        latents = model.encode(images)
        assert torch.isfinite(latents).all()
        assert not config(name).decodes or model.decode(latents).shape == images.shape
