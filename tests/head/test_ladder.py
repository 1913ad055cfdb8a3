"""The ladder's top rung: what its loss is made of, and what is left without noise."""

from dataclasses import replace

import pytest
import torch

from ae_cls.draws import Draws
from ae_cls.head.ladder import Combinator, LadderConfig, _Ladder, standardised
from ae_cls.head.network import Network, classification_loss, network_of
from ae_cls.head.semi_supervised import Shown
from tests.autoencoder.variants import TRAINED
from tests.head.encoder_heads import learnt_beside_the_given_encoder, small, task

POSITIONS = torch.tensor([3, 40, 5, 50, 60, 0, 33, 34])


def config(*words: str) -> LadderConfig:
    return small(LadderConfig, "ladder", words)


def network() -> Network:
    made = network_of(task())
    torch.nn.init.normal_(made.to_logits.weight, generator=torch.Generator().manual_seed(1))
    return made.train()


def images() -> torch.Tensor:
    return torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def ladder(one: Network, *words: str) -> _Ladder:
    settings = config(*words)
    shown = Shown(torch.from_numpy(task().train.labels), None, settings.label_smoothing)
    return _Ladder(settings, one, Combinator(2), shown)


@pytest.mark.parametrize("name", TRAINED)
def test_it_learns_and_leaves_the_given_encoder_as_it_was(name):
    one = task(name)
    learned = learnt_beside_the_given_encoder(config(), one)
    assert learned.classifier.head.facts["unlabelled_rows"] == 32


def test_without_noise_and_denoising_the_loss_is_that_of_fine_tuning():
    one = network()
    labels = torch.from_numpy(task().train.labels)
    positions = torch.tensor([3, 4, 5, 6, 7, 0, 1, 2])  # which all have a label
    plain = classification_loss(
        one, images(), labels[positions], None, label_smoothing=config().label_smoothing
    )
    found = ladder(one, "noise=0.0", "denoising=0.0").loss(
        images(), positions, Draws(0, 0, positions), 0.0
    )
    torch.testing.assert_close(found.total, plain.total)
    assert found.terms["accuracy"] == plain.terms["accuracy"]


def test_the_guess_is_0_at_first_as_in_the_authors_code():
    """Then the error is the variance of clean answers, of which each number has 1."""
    noisy, above = torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Combinator(4)(noisy, above), torch.zeros(50, 4))
    found = ladder(network()).loss(images(), POSITIONS, Draws(0, 0, POSITIONS), 0.0)
    assert found.terms["denoising"].item() == pytest.approx(1, abs=1e-3)


def test_a_combinator_can_be_the_best_guess_of_a_normal_number_and_learns_to_be():
    draw = torch.Generator().manual_seed(0)
    above = torch.randn(4000, 1, generator=draw)
    clean = 0.5 * above + 0.6 * torch.randn(4000, 1, generator=draw)
    noisy = clean + 0.3 * torch.randn(4000, 1, generator=draw)
    one = Combinator(1)
    optimiser = torch.optim.Adam(one.parameters(), lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        (one(noisy, above) - clean).square().mean().backward()
        optimiser.step()
    error = (one(noisy, above) - clean).square().mean()
    best = 1 / (1 / 0.6**2 + 1 / 0.3**2)  # variance of a normal number given a noisy one
    assert error.item() == pytest.approx(best, rel=0.05)


def test_the_loss_is_noisy_cross_entropy_and_weighted_error():
    one = network()
    both = ladder(one, "denoising=3.0", "noise=0.5", "label_smoothing=0.0")
    found = both.loss(images(), POSITIONS, Draws(0, 0, POSITIONS), 0.0)
    terms = found.terms
    expected = terms["cross_entropy"] + 3 * terms["denoising"]
    torch.testing.assert_close(found.total.detach(), expected)
    noisy = both._noisy(images(), Draws(0, 0, POSITIONS))
    labels = torch.from_numpy(task().train.labels)
    shown = [0, 2, 5]
    entropy = torch.nn.functional.cross_entropy(noisy[shown], labels[POSITIONS[shown]])
    torch.testing.assert_close(terms["cross_entropy"], entropy.detach())
    assert not torch.allclose(noisy, one(images()), atol=0.05)


def test_batch_norms_remember_clean_images_alone():
    first, second = network(), network()
    ladder(first).loss(images(), POSITIONS, Draws(0, 0, POSITIONS), 0.0)
    second(images())
    for key, value in second.state_dict().items():
        if "running" in key:
            assert torch.equal(first.state_dict()[key], value), key


def test_answers_are_standardised_over_the_batch():
    values = 3 + 5 * torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    found = standardised(values)
    torch.testing.assert_close(found.mean(0), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.var(0, correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_with_all_labels_shown_there_is_nothing_beside():
    one = task()
    nothing = replace(one.unlabelled, rows=one.unlabelled.rows[:0])
    learned = config().classify(replace(one, unlabelled=nothing))
    assert learned.classifier.head.facts["unlabelled_rows"] == 0
    assert learned.history[-1].train["accuracy"] > 0.8
