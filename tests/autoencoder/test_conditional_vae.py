"""The class in the code: the article's bounds, and what becomes of them in simple cases."""

import math

import pytest
import torch

from ae_cls.autoencoder.conditional_vae import ConditionalVae, with_entropy
from ae_cls.autoencoder.contract import build
from ae_cls.autoencoder.parts.dense import pixel_count
from ae_cls.autoencoder.parts.variational import negative_log_likelihood
from tests.autoencoder.variants import config, draws, table, unit, variant

SHAPE, COUNT = (1, 8, 8), 24
MASKED = ("autoencoder/corruption=patch_mask", "autoencoder.corruption.intact_weight=0.1")


def made(classes: int = 3, words: tuple[str, ...] = ()) -> ConditionalVae:
    small = config("conditional_vae", *words).small()
    model = build(small.model_copy(update={"classes": classes}), SHAPE, 0).double().eval()
    assert isinstance(model, ConditionalVae)
    return model


def images() -> torch.Tensor:
    return unit(table(SHAPE, COUNT)).double()


def answering(model: ConditionalVae, logits: list[float]) -> ConditionalVae:
    """The model with the same probabilities of the classes for every image."""
    with torch.no_grad():
        model.to_logits.weight.zero_()
        model.to_logits.bias.copy_(torch.tensor(logits))
    return model


def by_hand(model: ConditionalVae, label: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared error per pixel and divergence of each image with this class."""
    hidden = model.trunk(images())[-1].flatten(1)
    mean = model.to_mean(hidden) + model.mean_of_class.weight[:, label]
    log_variance = model.to_log_variance(hidden) + model.log_variance_of_class.weight[:, label]
    codes = mean + (log_variance / 2).exp() * draws(COUNT).normal("vae", mean.shape[1])
    one = torch.zeros(COUNT, model.config.classes).double()
    one[:, label] = 1
    outputs = model.decoder(torch.cat([codes, one], dim=1))
    own = torch.distributions.Normal(mean, (log_variance / 2).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    divergence = torch.distributions.kl_divergence(own, prior).sum(1)
    return (outputs - images()).square().flatten(1).mean(1), divergence


def nll(error: torch.Tensor) -> torch.Tensor:
    return negative_log_likelihood(error.mean(), pixel_count(SHAPE))


def test_all_classes_at_once_cost_what_a_loop_over_them_says():
    model = made()
    costs = model.class_costs(images(), draws(COUNT))
    for label in range(3):
        error, divergence = by_hand(model, label)
        torch.testing.assert_close(costs.errors[:, label], error)
        torch.testing.assert_close(costs.divergences[:, label], divergence)


def test_a_certain_class_costs_what_it_costs_with_its_label():
    model = answering(made(), [0.0, 1000.0, 0.0])
    error, divergence = by_hand(model, 1)
    with_label = nll(error) + divergence.mean() + math.log(3)
    torch.testing.assert_close(model.loss(images(), draws(COUNT), 1.0).total, with_label)


def test_classes_as_probable_as_each_other_cost_their_mean_without_what_a_label_says():
    model = answering(made(), [0.0, 0.0, 0.0])
    errors, divergences = zip(*(by_hand(model, label) for label in range(3)), strict=True)
    error, divergence = torch.stack(errors).mean(0), torch.stack(divergences).mean(0)
    mean_with_label = nll(error) + divergence.mean() + math.log(3)
    found = model.loss(images(), draws(COUNT), 1.0)
    torch.testing.assert_close(found.total, mean_with_label - math.log(3))
    assert found.terms["class_kl"].item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("words", [(), MASKED])
@pytest.mark.parametrize("progress", [0.1, 1.0])
def test_one_class_is_the_vae_with_a_label_and_without(words, progress):
    alone = (*words, "autoencoder.principal_path=false")
    model, plain = made(1, words), variant("vae", SHAPE, words=alone).double().eval()
    with torch.no_grad():
        for layer in (model.mean_of_class, model.log_variance_of_class):
            layer.weight.zero_()
        model.decoder.from_latent.weight[:, -1] = 0
    weights = {name: model.state_dict()[name] for name in plain.state_dict()}
    weights["decoder.from_latent.weight"] = weights["decoder.from_latent.weight"][:, :-1]
    plain.load_state_dict(weights)
    expected = plain.loss(images(), draws(COUNT), progress)
    found = model.loss(images(), draws(COUNT), progress)
    torch.testing.assert_close(found.total, expected.total)
    torch.testing.assert_close(found.terms["kl"], expected.terms["kl"])
    ones = torch.ones(COUNT, 1).double()
    costs = model.class_costs(images(), draws(COUNT))
    known = model.bound(costs, ones, 0 * ones[:, 0], ones[:, 0], progress)
    torch.testing.assert_close(known.total, expected.total)


def test_the_bound_without_a_label_is_lowest_at_the_probabilities_that_its_costs_give():
    """Of one image: q(class) in proportion to exp(-L), where U is minus the log of their sum."""
    costs = torch.tensor([[3.0, 1.0, 2.5]]).double()

    def bound(logs: torch.Tensor) -> float:
        probabilities, entropy = with_entropy(logs.log_softmax(1))
        return float((probabilities * costs).sum() - entropy)

    best = bound(-costs)
    assert best == pytest.approx(-float((-costs).logsumexp(1)))
    near = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)).double()
    assert all(bound(-costs + 0.3 * step) > best for step in near)


def test_the_code_is_the_expected_mean_and_then_the_logarithms_of_the_probabilities():
    model = made()
    codes = model.encode(images())
    numbers, logs = codes[:, :16], codes[:, 16:]
    hidden = model.trunk(images())[-1].flatten(1)
    means = [model.to_mean(hidden) + model.mean_of_class.weight[:, label] for label in range(3)]
    expected = sum(logs[:, label, None].exp() * mean for label, mean in enumerate(means))
    torch.testing.assert_close(numbers, expected)
    torch.testing.assert_close(logs.exp().sum(1), torch.ones(COUNT).double())
    one = torch.tensor([[0.0, -1000.0, -1000.0]]).double()
    certain = torch.cat([numbers, one.expand(COUNT, 3)], dim=1)
    by_class = model.decoder(torch.cat([numbers, one.exp().expand(COUNT, 3)], dim=1))
    torch.testing.assert_close(model.decode(certain), by_class)
