"""Codes drawn from the prior: which variants have one, and what is drawn."""

import pytest
import torch

from ae_cls.autoencoder.conditional_vae import ConditionalVae
from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.gmvae import GmVae
from ae_cls.autoencoder.parts.prior import DrawnCodes
from ae_cls.draws import Draws
from tests.autoencoder.variants import VARIANTS, variant

SHAPE = (3, 9, 8)
WITH_PRIOR = {"vae", "beta_vae", "conditional_vae", "gmvae", "wae", "aae"}


def drawn(model: Autoencoder, samples: list[int], seed: int = 0) -> DrawnCodes:
    found = model.eval().drawn_codes(Draws(seed, 0, torch.tensor(samples)))
    assert found is not None
    return found


def with_clouds() -> GmVae:
    """Far from one another, and of unlike size."""
    model = variant("gmvae", SHAPE)
    assert isinstance(model, GmVae)
    clouds, width = model.mixture.means.shape
    model.mixture.started.fill_(1)
    model.mixture.means.copy_(10 * torch.arange(clouds)[:, None].expand(-1, width))
    model.mixture.variances.copy_(torch.arange(1, clouds + 1)[:, None].expand(-1, width) / 100)
    return model


def test_those_that_hold_codes_to_a_prior_draw_from_it_and_no_others():
    draws = Draws(0, 0, torch.arange(4))
    found = {name for name in VARIANTS if variant(name, SHAPE).drawn_codes(draws) is not None}
    assert found == WITH_PRIOR


@pytest.mark.parametrize("name", ["wae", "aae"])
def test_without_its_penalty_nothing_holds_codes_to_the_prior(name):
    free = variant(name, SHAPE, words=("autoencoder.penalty=0",))
    assert free.drawn_codes(Draws(0, 0, torch.arange(4))) is None


@pytest.mark.parametrize("name", sorted(WITH_PRIOR))
def test_a_code_depends_on_seed_and_number_alone_and_becomes_an_image(name):
    model = variant(name, SHAPE)
    found = drawn(model, [0, 1, 2, 3])
    assert found.shares.sum().item() == pytest.approx(1)
    assert len(found.shares) == len(found.codes) == (3 if name == "conditional_vae" else 1)
    assert torch.equal(drawn(model, [2]).codes[:, 0], found.codes[:, 2])
    assert not torch.equal(drawn(model, [0, 1, 2, 3], seed=1).codes, found.codes)
    images = model.decode(found.codes.flatten(0, 1))
    assert images.shape[1:] == SHAPE
    assert images.isfinite().all()


@pytest.mark.parametrize("name", sorted(WITH_PRIOR - {"conditional_vae"}))
def test_one_cloud_is_the_standard_normal_one(name):
    codes = drawn(variant(name, SHAPE), list(range(4000))).codes
    assert codes.mean().item() == pytest.approx(0, abs=0.02)
    assert codes.std().item() == pytest.approx(1, abs=0.02)
    assert codes[0].T.corrcoef().fill_diagonal_(0).abs().max() < 0.1


def test_clusters_have_their_own_means_and_spreads_and_share_their_noise():
    model = with_clouds()
    found = drawn(model, list(range(500)))
    means, variances = model.mixture.means, model.mixture.variances
    assert found.parts == "cluster"
    assert torch.equal(found.shares, model.mixture.shares)
    spreads = (found.codes - means[:, None]).std(1) / variances.sqrt()
    assert spreads.mean().item() == pytest.approx(1, abs=0.02)
    noise = (found.codes - means[:, None]) / variances.sqrt()[:, None]
    torch.testing.assert_close(noise[0], noise[-1], atol=1e-3, rtol=1e-3)
    nearest = torch.cdist(found.codes.flatten(0, 1), means).argmin(1).view(len(means), -1)
    assert (nearest == torch.arange(len(means))[:, None]).all()


def test_a_code_of_a_class_is_decoded_with_that_class_and_nothing_of_others():
    model = variant("conditional_vae", SHAPE)
    assert isinstance(model, ConditionalVae)
    found = drawn(model, [0, 1])
    assert found.parts == "class"
    for number, codes in enumerate(found.codes):
        one = torch.zeros(2, 3)
        one[:, number] = 1
        direct = model.decoder(torch.cat([codes[:, : model.config.latent_dim], one], dim=1))
        assert torch.equal(model.decode(codes), direct)
    numbers = found.codes[:, :, : model.config.latent_dim]
    assert torch.equal(numbers[0], numbers[-1])
