"""The mixture prior is its formulas, and a VAE with one cloud."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier

from ae_cls.autoencoder.gmvae import GmVae
from ae_cls.autoencoder.parts.mixture import Mixture
from ae_cls.autoencoder.parts.posterior import Posterior
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows
from ae_cls.draws import Draws
from ae_cls.encode.assignments import AssignmentsConfig
from ae_cls.encode.encoder import Encoder
from ae_cls.experiment.descriptions import Pretraining
from ae_cls.head.fitted import Labelled
from ae_cls.train.task import TrainTask
from tests.autoencoder.variants import draws, table, unit, variant
from tests.composed import described
from tests.head.heads import config, fit

SHAPE = (1, 8, 8)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def mixture(clouds: int = 5, width: int = 3, apart: float = 1.0) -> Mixture:
    """Clouds of different shares, places and widths."""
    made = Mixture(clouds, width).double()
    made.shares.copy_(random(clouds, seed=1).softmax(0))
    made.means.copy_(apart * random(clouds, width, seed=2))
    made.variances.copy_(random(clouds, width, seed=3).exp())
    return made


def posteriors(count: int = 7, width: int = 3) -> Posterior:
    return Posterior(random(count, width, seed=4), random(count, width, seed=5) - 1)


def normal(mean: torch.Tensor, variance: torch.Tensor) -> torch.distributions.Normal:
    return torch.distributions.Normal(mean, variance.sqrt())


def test_weights_and_assignments_are_those_of_a_loop() -> None:
    prior, seen = mixture(), posteriors()
    found = prior.log_weights(seen)
    for row in range(7):
        own = normal(seen.mean[row], seen.log_variance[row].exp())
        weights = []
        for cloud in range(5):
            other = normal(prior.means[cloud], prior.variances[cloud])
            distance = float(torch.distributions.kl_divergence(own, other).sum())
            weights.append(float(prior.shares[cloud]) * math.exp(-distance))
        assert found[row].exp().tolist() == pytest.approx(weights, rel=1e-10)
        shares = found[row].softmax(0)
        assert shares.tolist() == pytest.approx([w / sum(weights) for w in weights], rel=1e-10)
    torch.testing.assert_close(found.softmax(1).sum(1), torch.ones(7).double())


@pytest.mark.parametrize("apart", [1.0, 20.0])
def test_the_divergence_is_that_of_100_000_codes_and_their_clouds(apart: float) -> None:
    """KL(q(code) q(cloud) || p(code, cloud)); it is at least KL(q(code) || p(code))."""
    prior, seen, count = mixture(apart=apart), posteriors(1), 100_000
    logs = prior.log_weights(seen)
    divergence = -float(logs.logsumexp(1))
    own = normal(seen.mean[0], seen.log_variance[0].exp())
    codes = own.mean + own.stddev * random(count, 3, seed=6)
    shares = logs.softmax(1)[0]
    generator = torch.Generator().manual_seed(7)
    clouds = torch.multinomial(shares, count, replacement=True, generator=generator)
    of_clouds = torch.stack(
        [
            normal(prior.means[cloud], prior.variances[cloud]).log_prob(codes).sum(1)
            for cloud in range(5)
        ]
    ) + prior.shares.log().unsqueeze(1)
    of_code = own.log_prob(codes).sum(1)
    joint = of_code + shares.log()[clouds] - of_clouds[clouds, torch.arange(count)]
    assert float(joint.mean()) == pytest.approx(divergence, abs=3 * spread(joint))
    marginal = of_code - of_clouds.logsumexp(0)
    assert float(marginal.mean()) < divergence + 3 * spread(marginal)
    if apart == 20:  # a code tells its cloud, and the two are the same
        assert float(marginal.mean()) == pytest.approx(divergence, abs=3 * spread(marginal))


def spread(samples: torch.Tensor) -> float:
    """The standard error of the mean."""
    return float(samples.std()) / math.sqrt(len(samples))


NO_PATH = ("autoencoder.principal_path=false",)  # which the mixture has not


def gmvae(*words: str) -> GmVae:
    model = variant("gmvae", SHAPE, words=words)
    assert isinstance(model, GmVae)
    return model


@pytest.mark.parametrize("clouds", [1, 30])
def test_before_it_has_clusters_it_is_the_vae(clouds: int) -> None:
    model, plain = gmvae(f"autoencoder.clusters={clouds}"), variant("vae", SHAPE, words=NO_PATH)
    plain.load_state_dict(model.state_dict(), strict=False)
    images = unit(table(SHAPE))
    for progress in (0.0, 0.2):  # in training, within the warm-up
        found, expected = (m.train().loss(images, draws(24), progress) for m in (model, plain))
        torch.testing.assert_close(found.total, expected.total, rtol=1e-5, atol=0)
        torch.testing.assert_close(found.terms["kl"], expected.terms["kl"], rtol=1e-5, atol=0)
    assert float(found.terms["clusters_used"]) == pytest.approx(clouds, rel=1e-5)
    assert not model.mixture.started


def test_one_normal_cloud_is_the_vae_after_the_warm_up_too() -> None:
    model, plain = (
        gmvae("autoencoder.clusters=1").eval(),
        variant("vae", SHAPE, words=NO_PATH).eval(),
    )
    plain.load_state_dict(model.state_dict(), strict=False)
    images = unit(table(SHAPE))
    found, expected = (m.loss(images, draws(24), 1.0).total for m in (model, plain))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_the_gradient_with_clusters_is_the_slope() -> None:
    model, images = gmvae("autoencoder.clusters=4").double(), unit(table(SHAPE)).double()
    model.train().loss(images, draws(24), 1.0)  # finds clusters
    assert model.mixture.started
    model.eval()
    weight, step = model.to_mean.weight, 1e-6
    (slopes,) = torch.autograd.grad(model.loss(images, draws(24), 1.0).total, weight)
    place = divmod(int(slopes.abs().argmax()), slopes.shape[1])
    totals = []
    for sign in (1, -2):
        with torch.no_grad():
            weight[place] += sign * step
        totals.append(float(model.loss(images, draws(24), 1.0).total.detach()))
    assert (totals[0] - totals[1]) / (2 * step) == pytest.approx(float(slopes[place]), rel=1e-4)


def test_evaluation_leaves_the_clouds_alone() -> None:
    model, images = gmvae().train(), unit(table(SHAPE))
    model.loss(images, draws(24), 1.0)
    model.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.loss(images, draws(24), 1.0)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_clouds_end_where_expectation_maximisation_of_all_codes_does() -> None:
    draw = np.random.default_rng(0)
    centres = np.array([[-4.0, 0.0], [4.0, 1.0], [0.0, 5.0]])
    codes = centres[draw.choice(3, 4000, p=[0.5, 0.3, 0.2])] + draw.normal(size=(4000, 2))
    points = torch.from_numpy(codes)
    certain = Posterior(points, torch.full_like(points, -30.0))
    prior = Mixture(3, 2).double()
    prior.start(certain, torch.Generator().manual_seed(0))
    for _ in range(400):
        prior.follow(certain)
    reference = GaussianMixture(3, covariance_type="diag", means_init=prior.means.numpy(), tol=1e-9)
    reference.fit(codes)
    assert prior.shares.numpy() == pytest.approx(reference.weights_, abs=1e-4)
    assert prior.means.numpy() == pytest.approx(reference.means_, abs=1e-3)
    assert prior.variances.numpy() == pytest.approx(reference.covariances_, abs=2e-3)
    log_density = prior.log_weights(certain).logsumexp(1) - (certain.log_variance + 1).sum(1) / 2
    density = log_density - math.log(2 * math.pi)
    assert density.numpy() == pytest.approx(reference.score_samples(codes), abs=0.02)


def test_a_cloud_without_codes_keeps_its_place_and_finite_numbers() -> None:
    prior, far = Mixture(2, 1), Posterior(torch.zeros(50, 1), torch.zeros(50, 1))
    prior.means.copy_(torch.tensor([[0.0], [1000.0]]))
    for _ in range(3000):
        prior.follow(far)
    assert prior.shares.tolist() == pytest.approx([1, 0.0005], rel=1e-3)
    assert prior.means.flatten().tolist() == pytest.approx([0, 1000])
    assert prior.log_weights(far).isfinite().all()


def test_half_precision_of_a_network_does_not_reach_the_clouds() -> None:
    prior = mixture().float()
    seen = Posterior(posteriors().mean.float(), posteriors().log_variance.float())
    with torch.autocast("cpu", torch.bfloat16):
        found = prior.log_weights(seen)
    assert torch.equal(found, prior.log_weights(seen))


def test_clusters_of_digits_named_with_five_labels_a_class_tell_them() -> None:
    digits = load_digits()
    images = torch.from_numpy((digits.images * 255 / 16).astype(np.uint8))[:, None]
    labels = digits.target.astype(np.int64)
    train, test = ImageRows(images, np.arange(1200)), ImageRows(images, np.arange(1200, 1797))
    found = described("pretrain", "pretrain=quick", "pretrain.min_steps=150")
    assert isinstance(found, Pretraining)
    model, compute = variant("gmvae", SHAPE), Compute(torch.device("cpu"), "fp32")
    found.pretrain.fit(model, TrainTask(train, test, False, 0, compute))
    encoder = Encoder(model, AssignmentsConfig(name="assignments"), compute)
    few = np.concatenate([np.flatnonzero(labels[:1200] == digit)[:5] for digit in range(10)])
    shares, of_test = encoder.features(train), encoder.features(test)
    part = Labelled(shares[few], labels[few])
    head = fit(config("clusters", smoothing=0.1), part, part, 10)
    accuracy = (head.predict_proba(of_test).argmax(1) == labels[1200:]).mean()
    pixels = images.flatten(1).numpy()
    nearest = KNeighborsClassifier(1).fit(pixels[few], labels[few])
    assert accuracy > 0.7
    assert accuracy > nearest.score(pixels[1200:], labels[1200:]) - 0.05
    used = Draws(0, 0, torch.arange(597))
    with torch.inference_mode():
        terms = model.eval().loss(unit(test)[1200:], used, 1.0).terms
    assert float(terms["clusters_used"]) > 10 and float(terms["active_units"]) > 5
