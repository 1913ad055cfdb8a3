"""Each variant against an independent source for what it computes."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from skimage.feature import hog
from sklearn.decomposition import PCA
from torch import nn

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.hog import HogConfig
from ae_cls.autoencoder.parts.blocks import Trunk, pad_to_multiple
from ae_cls.autoencoder.parts.posterior import Posterior
from ae_cls.autoencoder.pca import PcaConfig, _exact_axes, _leading_axes
from ae_cls.autoencoder.pixels import PixelsConfig
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows
from ae_cls.draws import Draws
from tests.autoencoder.variants import digit_rows, draws, table, unit, variant


@pytest.fixture(scope="module")
def digits() -> ImageRows:
    return digit_rows()


def test_pixels_are_the_numpy_reshape_and_come_back_exactly():
    images = unit(table((3, 32, 32)))
    model = PixelsConfig(name="pixels").build((3, 32, 32))
    assert np.array_equal(model.encode(images).numpy(), images.numpy().reshape(24, -1))
    assert torch.equal(model.decode(model.encode(images)), images)


def pca(shape: ImageShape, *, latent_dim: int) -> Autoencoder:
    return PcaConfig(name="pca", latent_dim=latent_dim).build(shape)


def test_pca_agrees_with_scikit_learn_up_to_sign(digits):
    model = pca((1, 8, 8), latent_dim=20)
    model.fit_closed_form(digits, seed=0)
    flat = digits.images.flatten(1).double().numpy() / 255
    reference = PCA(20).fit(flat)
    latents = model.encode(digits.images.float() / 255).numpy()
    agreement = np.abs((latents * reference.transform(flat)).sum(0))
    assert agreement == pytest.approx((latents**2).sum(0), rel=1e-3)


def test_the_error_of_pca_is_the_sum_of_the_dropped_eigenvalues(digits):
    model = pca((1, 8, 8), latent_dim=10)
    model.fit_closed_form(digits, seed=0)
    flat = digits.images.flatten(1).double().numpy() / 255
    eigenvalues = np.linalg.eigvalsh(np.cov(flat.T, bias=True))
    images = digits.images.float() / 255
    sse = (model.decode(model.encode(images)) - images).square().sum((1, 2, 3)).mean()
    assert sse.item() == pytest.approx(eigenvalues[:-10].sum(), rel=1e-4)


def test_all_axes_rebuild_exactly(digits):
    model = pca((1, 8, 8), latent_dim=64)
    model.fit_closed_form(digits, seed=0)
    images = digits.images.float() / 255
    torch.testing.assert_close(model.decode(model.encode(images)), images, rtol=0, atol=1e-5)


def test_subspace_iteration_finds_the_axes_of_the_covariance(digits):
    mean = digits.images.flatten(1).double().mean(0) / 255
    exact = _exact_axes(digits, mean, 8)
    found = _leading_axes(digits, mean, 8, seed=0)
    torch.testing.assert_close(
        (exact * found).sum(0).abs(), torch.ones(8).double(), atol=1e-3, rtol=0
    )


def test_large_images_take_the_subspace_iteration():
    model = pca((3, 64, 64), latent_dim=4)  # 12,288 numbers
    images = table((3, 64, 64))
    before = model.loss(unit(images), draws(24), 1.0).total
    model.fit_closed_form(images, seed=0)
    flat = unit(images).flatten(1).numpy()
    best = PCA(4, svd_solver="full").fit(flat)
    error = np.square(best.inverse_transform(best.transform(flat)) - flat).mean()
    found = model.loss(unit(images), draws(24), 1.0).total.item()
    assert found < before.item()
    assert found == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize(("shape", "cell"), [((1, 28, 28), 4), ((3, 32, 32), 4), ((1, 8, 8), 2)])
def test_hog_agrees_with_scikit_image(shape, cell):
    # Not bytes, which would give channels and directions of equal strength.
    images = torch.rand(8, *shape, generator=torch.Generator().manual_seed(0))
    model = HogConfig(name="hog", bins=9, cell=cell).build(shape)
    for image, latents in zip(images, model.encode(images), strict=True):
        expected = hog(
            image.permute(1, 2, 0).numpy().astype(np.float64),
            orientations=9,
            pixels_per_cell=(cell, cell),
            cells_per_block=(2, 2),
            block_norm="L2-Hys",
            channel_axis=2,
        )
        assert latents.numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_kl_divergence_is_that_of_torch_distributions(seed):
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance = torch.randn(2, 16, 5, generator=generator, dtype=torch.float64)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (log_variance / 2).exp()),
        torch.distributions.Normal(0.0, 1.0),
    )
    torch.testing.assert_close(Posterior(mean, log_variance).divergence(), expected)


@pytest.mark.parametrize(
    ("mean", "log_variance", "nats"),
    [(1.0, 0.0, 0.5), (0.0, math.log(4), 0.806853), (0.0, 0.0, 0.0)],
)
def test_known_values_of_the_kl_divergence(mean, log_variance, nats):
    found = Posterior(torch.tensor([[mean]]), torch.tensor([[log_variance]])).divergence()
    assert found.item() == pytest.approx(nats, abs=1e-6)


def silent_vae(**settings):
    """A VAE whose posterior is the prior: mean 0, log-variance 0."""
    words = [f"autoencoder.{key}={value}" for key, value in settings.items()]
    model = variant("vae", (1, 8, 8), words=words).eval()
    for layer in (model.to_mean, model.to_log_variance):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return model


def test_free_bits_cost_their_number_and_have_no_gradient_below_it():
    model, images = silent_vae(beta=1.0, warm_up=0.0, free_bits=0.3), unit(table((1, 8, 8)))
    loss = model.loss(images, draws(24), 1.0)
    assert (loss.total - loss.terms["nll"]).item() == pytest.approx(16 * 0.3, rel=1e-4)
    assert loss.terms["kl"].item() == 0


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.0), (0.1, 0.5), (0.2, 1.0), (0.9, 1.0)])
def test_beta_grows_over_the_warm_up(progress, share):
    model = silent_vae(beta=2.0, warm_up=0.2, free_bits=0.1)
    loss = model.loss(unit(table((1, 8, 8))), draws(24), progress)
    assert (loss.total - loss.terms["nll"]).item() == pytest.approx(share * 2 * 16 * 0.1, abs=1e-4)


def test_nll_is_that_of_normal_pixels_with_the_variance_that_suits_them_best():
    terms = silent_vae(beta=1.0).loss(unit(table((1, 8, 8))), draws(24), 1.0).terms
    assert set(terms) == {"mse", "nll", "kl"}
    mse = terms["mse"].item()
    found = {
        factor: 64 * -torch.distributions.Normal(0.0, (factor * mse) ** 0.5)
        .log_prob(torch.tensor(mse**0.5)).item()
        for factor in (0.5, 0.9, 1.0, 1.1, 2.0)
    }  # fmt: skip
    assert min(found, key=lambda factor: found[factor]) == 1.0
    assert terms["nll"].item() == pytest.approx(found[1.0], abs=0.01)


def test_the_mean_and_log_variance_lie_where_the_loss_reads_them():
    """The KL term of a batch against a Monte-Carlo mean of log q - log p."""
    model, images = variant("vae", (1, 8, 8)).eval(), unit(table((1, 8, 8), 2))
    hidden = model.trunk(images)[-1].flatten(1)
    mean, log_variance = model.to_mean(hidden), model.to_log_variance(hidden)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    samples = posterior.sample((40_000,))
    ratio = posterior.log_prob(samples) - torch.distributions.Normal(0.0, 1.0).log_prob(samples)
    per_sample = ratio.sum(-1).mean(1)
    found = model.loss(images, draws(2), 1.0).terms["kl"].item()
    assert found == pytest.approx(per_sample.mean().item(), abs=4 * per_sample.std().item() / 200)


def test_the_same_draws_give_the_same_vae_loss_and_others_another():
    model, images = variant("vae", (1, 8, 8)).eval(), unit(table((1, 8, 8)))
    first, again = (model.loss(images, draws(24), 1.0).total for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, model.loss(images, draws(24, epoch=1), 1.0).total)


def test_shuffling_undoes_unshuffling():
    images = torch.rand(2, 3, 12, 12, dtype=torch.float64)
    assert torch.equal(functional.pixel_shuffle(functional.pixel_unshuffle(images, 2), 2), images)


def test_a_1x1_convolution_and_shuffle_are_a_transposed_convolution():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 5, 4, 4, generator=generator, dtype=torch.float64)
    spread = torch.nn.Conv2d(5, 4 * 3, 1, dtype=torch.float64)
    transposed = torch.nn.ConvTranspose2d(5, 3, 2, stride=2, dtype=torch.float64)
    with torch.no_grad():
        for o in range(3):
            for i in range(2):
                for j in range(2):
                    transposed.weight[:, o, i, j] = spread.weight[o * 4 + 2 * i + j, :, 0, 0]
        spread.bias.copy_(transposed.bias.repeat_interleave(4))
    torch.testing.assert_close(functional.pixel_shuffle(spread(maps), 2), transposed(maps))


def test_the_trunk_computes_in_channels_last_from_its_first_layer():
    trunk = Trunk((1, 28, 28), widths=(8, 16), depth=2, patch=2, norm=nn.BatchNorm2d)
    for maps in trunk(torch.rand(4, 1, 28, 28)):
        assert maps.is_contiguous(memory_format=torch.channels_last)


def test_pooling_before_relu_gives_the_textbook_order_to_the_bit():
    model, images = variant("textbook", (1, 28, 28)), unit(table((1, 28, 28)))
    maps = images
    for convolution in model.down:
        maps = functional.max_pool2d(functional.relu(convolution(maps)), 2)
    assert torch.equal(model.feature_maps(images)[-1], maps)


@pytest.mark.parametrize("name", ["textbook", "conv", "vae"])
def test_the_last_map_is_what_the_code_is_made_of(name):
    words = () if name == "textbook" else ("autoencoder.principal_path=false",)
    model, images = variant(name, (1, 28, 28), words=words).eval(), unit(table((1, 28, 28)))
    to_code = model.to_mean if name == "vae" else model.to_latent
    assert torch.equal(model.encode(images), to_code(model.feature_maps(images)[-1].flatten(1)))


def test_max_pooling_before_the_norm_is_max_pooling_after_it_while_scales_are_positive():
    trunk = Trunk((1, 28, 28), widths=(8, 16), depth=1, patch=2, norm=nn.BatchNorm2d).eval()
    convolution, pool, norm, relu = trunk.stages[0]
    folded = functional.pixel_unshuffle(unit(table((1, 28, 28))), 2)
    after = pool(relu(norm(convolution(folded))))
    torch.testing.assert_close(trunk.stages[0](folded), after)


def test_padding_repeats_the_last_row_and_column():
    image = torch.arange(12.0).view(1, 1, 3, 4)
    padded = pad_to_multiple(image, 4)
    assert padded.shape == (1, 1, 4, 4)
    assert torch.equal(padded[0, 0, 3], image[0, 0, 2])


def test_linear_shallow_network_reaches_the_error_of_pca_and_its_subspace(digits):
    """Baldi & Hornik 1989: the optimum spans the leading axes, whatever the single weights are."""
    model = variant("shallow", (1, 8, 8), words=["autoencoder.latent_dim=4"])
    model.activation = torch.nn.Identity()
    images = (digits.images.float() / 255)[:600]
    optimiser = torch.optim.LBFGS(model.parameters(), max_iter=400, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = model.loss(images, Draws(0, 0, torch.arange(len(images))), 1.0).total
        loss.backward()
        return loss

    optimiser.step(closure)
    reference = PCA(4).fit(images.flatten(1).numpy())
    rebuilt = reference.inverse_transform(reference.transform(images.flatten(1).numpy()))
    best = np.square(rebuilt - images.flatten(1).numpy()).mean()
    assert closure().item() == pytest.approx(best, rel=2e-2)
    decoder = torch.linalg.qr(model.to_pixels.detach())[0].double().numpy()
    cosines = np.linalg.svd(decoder.T @ reference.components_.T)[1]
    assert cosines.min() > 0.95


def test_tied_weights_are_one_parameter_with_the_gradient_of_both_uses():
    model = variant("shallow", (1, 8, 8), words=["autoencoder.tied=true"])
    images = unit(table((1, 8, 8)))
    assert {name for name, _ in model.named_parameters()} == {
        "bias", "to_latent.weight", "to_latent.bias",
    }  # fmt: skip
    model.loss(images, draws(24), 1.0).total.backward()
    encoder, decoder = (model.to_latent.weight.detach().clone().requires_grad_() for _ in range(2))
    latents = functional.relu(functional.linear(images.flatten(1), encoder, model.to_latent.bias))
    output = functional.linear(latents, decoder.T, model.bias)
    (output - images.flatten(1)).square().mean().backward()
    torch.testing.assert_close(model.to_latent.weight.grad, encoder.grad + decoder.grad)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_the_activation_is_the_one_named(activation):
    wanted = {"relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh}[activation]
    shallow = variant("shallow", (1, 8, 8), words=[f"autoencoder.activation={activation}"])
    deep = variant("deep", (1, 8, 8), words=[f"autoencoder.activation={activation}"])
    assert isinstance(shallow.activation, wanted)
    assert all(isinstance(stage[1], wanted) for stage in deep.stages)
