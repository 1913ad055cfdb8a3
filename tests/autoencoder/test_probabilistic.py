"""Probabilistic principal components in a network that encodes to a distribution."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from ae_cls.autoencoder.contract import build
from ae_cls.autoencoder.parts.principal import PrincipalPath, bent
from ae_cls.autoencoder.parts.probabilistic import ProbabilisticPath
from ae_cls.dataset.rows import ImageRows
from tests.autoencoder.variants import table, unit
from tests.composed import described

SHAPE = (1, 8, 8)


def fitted(rows: ImageRows, numbers: int = 10) -> ProbabilisticPath:
    path = ProbabilisticPath(PrincipalPath(SHAPE, latent_dim=numbers, cells=(1, 1), cell=(8, 8)))
    path.fit(rows, seed=0)
    return path


def test_bound_and_log_likelihood_are_scikit_learns() -> None:
    rows = table(SHAPE, 200)
    path, images = fitted(rows), unit(rows)
    flat = images.flatten(1).numpy()
    pca = PCA(10, random_state=0).fit(flat)
    path.path.noise.copy_(torch.as_tensor(pca.noise_variance_))
    noise, posterior = float(pca.noise_variance_), path.posterior(images)
    rebuilt = path.decode(posterior.mean).flatten(1).numpy()
    # What the spread of a code adds to the error of the image, along each axis.
    spread = (path.path.variances - path.path.noise) @ posterior.log_variance.exp()[0]
    error = np.square(flat - rebuilt).sum(1) + float(spread)
    log_likelihood = -0.5 * (64 * math.log(2 * math.pi * noise) + error / noise)
    bound = log_likelihood - posterior.divergence().sum(1).numpy()
    np.testing.assert_allclose(bound, pca.score_samples(flat), rtol=1e-3)


def test_codes_of_many_images_are_standard_normal() -> None:
    rows = table(SHAPE, 400)
    posterior = fitted(rows).posterior(unit(rows))
    second = posterior.mean.var(0) + posterior.log_variance.exp().mean(0)
    torch.testing.assert_close(posterior.mean.mean(0), torch.zeros(10), rtol=0, atol=1e-4)
    torch.testing.assert_close(second, torch.ones(10), rtol=0, atol=1e-2)


def test_before_it_is_fitted_it_says_nothing() -> None:
    path = ProbabilisticPath(PrincipalPath(SHAPE, latent_dim=10, cells=(1, 1), cell=(8, 8)))
    posterior = path.posterior(unit(table(SHAPE, 5)))
    assert not posterior.divergence().any()
    assert not path.decode(torch.randn(5, 10)).any()


def test_fewer_images_than_numbers_leave_the_last_numbers_to_the_network() -> None:
    rows = table(SHAPE, 5)
    posterior = fitted(rows, numbers=32).posterior(unit(rows))
    assert posterior.divergence()[:, :4].amin() > 0
    assert not posterior.divergence()[:, 5:].any()


@pytest.mark.parametrize("side", [28, 64])
def test_vae_begins_as_principal_components_do(side: int) -> None:
    config = described("pretrain", "autoencoder=vae", "autoencoder.latent_dim=16").autoencoder
    model, rows = build(config, (1, side, side), seed=0).eval(), table((1, side, side), 60)
    model.fit_closed_form(rows, 0)
    images = unit(rows)
    with torch.inference_mode():
        begun = model.path.posterior(images)
        torch.testing.assert_close(model.posterior(images).mean, begun.mean)
        torch.testing.assert_close(model.posterior(images).log_variance, begun.log_variance)
        rebuilt = model.decode(model.encode(images))
    torch.testing.assert_close(rebuilt, bent(model.path.decode(begun.mean)))
