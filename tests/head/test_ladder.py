"""The ladder: what its loss is made of, what is left without noise, and all rungs below the top."""

from dataclasses import replace

import pytest
import torch

from ae_cls.draws import Draws
from ae_cls.encode import LatentConfig
from ae_cls.errors import UsageError
from ae_cls.head.ladder import LadderConfig, _Ladder
from ae_cls.head.laterals import Combinator, Laterals
from ae_cls.head.network import Network, classification_loss, network_of
from ae_cls.head.rungs import rungs_of, standardised
from ae_cls.head.task import Task
from ae_cls.train.loss import Loss
from tests.autoencoder.variants import TRAINED, variant
from tests.head.encoder_heads import learnt_beside_the_given_encoder, small, task, valid_of
from tests.processes.pair import From

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
    return config(*words).ladder(one, task())


@pytest.mark.parametrize("name", TRAINED)
def test_it_learns_and_leaves_the_given_encoder_as_it_was(name):
    one = task(name)
    learned = learnt_beside_the_given_encoder(small(LadderConfig, "ladder", (), steps=24), one)
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
    noisy, _ = both._noisy(images(), Draws(0, 0, POSITIONS))
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


def learnt(one: Task, *words: str) -> bytes:
    return config(*words).classify(one).classifier.predict_proba(valid_of(one).images).tobytes()


def test_rungs_without_weight_are_those_of_the_gamma_model_to_the_byte():
    assert learnt(task(), "lateral=[0,0,0]") == learnt(task(), "lateral=0.0")
    assert learnt(task(), "lateral=[0,0,0.1]") != learnt(task(), "lateral=0.0")


def whole(name: str, encode: str = "multiscale") -> tuple[Network, _Ladder]:
    one = task(name)
    if encode == "latent":
        one = replace(one, encoder=replace(one.encoder, encode=LatentConfig(name="latent")))
    made = network_of(one).train()
    torch.nn.init.normal_(made.to_logits.weight, generator=torch.Generator().manual_seed(1))
    settings = config("lateral=[2,0.5]")
    return made, settings.ladder(made, one)


def loss_of(found: _Ladder) -> Loss:
    return found.loss(images(), POSITIONS, Draws(0, 0, POSITIONS), 0.0)


@pytest.mark.parametrize("encode", ["multiscale", "latent"])
@pytest.mark.parametrize("name", TRAINED)
def test_every_weight_of_the_way_down_and_each_layer_below_it_learns(name, encode):
    made, found = whole(name, encode)
    guesses_depend_on_what_is_above(found)
    before = {key: value.clone() for key, value in made.encoder.state_dict().items()}
    loss_of(found).total.backward()
    ways = [*found.combinator.parameters(), *found.laterals.parameters()]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in ways)
    assert len(found.laterals.down) == len(found.layers) + 1 >= 2
    for layer in found.layers.values():
        slopes = [p.grad for p in layer.parameters() if p.grad is not None]
        assert all(slope.abs().sum() > 0 for slope in slopes)
    # The pass with noise leaves no hook behind, and nothing else.
    assert not any(module._forward_hooks for module in made.modules())
    statistics = ("running", "num_batches")
    for key, value in made.encoder.state_dict().items():
        assert torch.equal(before[key], value) or any(one in key for one in statistics), key


def guesses_depend_on_what_is_above(found: _Ladder) -> None:
    """At first they are 0, and nothing above them has a slope."""
    draw = torch.Generator().manual_seed(2)
    for combinator in (found.combinator, *found.laterals.combinators):
        for numbers in combinator.parameters():
            torch.nn.init.normal_(numbers, generator=draw)


def test_the_rungs_are_what_the_layers_answer_before_their_activation():
    made, found = whole("conv")
    with found._noted({}, images()) as rungs:
        made(images())
    maps = made.encoder.feature_maps(images())
    assert list(rungs) == [0, 1, 2]
    assert torch.equal(rungs[0], images())
    assert (rungs[1] < 0).any()
    for rung, stage in zip([rungs[1], rungs[2]], maps, strict=True):
        torch.testing.assert_close(rung.relu(), stage)


def test_noise_is_that_of_a_number_s_spread_and_goes_on_up():
    made, found = whole("conv")
    draws = Draws(0, 0, POSITIONS)
    _, noisy = found._noisy(images(), draws)
    with found._noted({}, noisy[0]) as one:  # the same noisy pixels, and no noise in the layers
        made(noisy[0])
    added = (noisy[1] - one[1]) / one[1].std((0, 2, 3), correction=0, keepdim=True)
    assert added.std().item() == pytest.approx(0.3, rel=0.05)
    torch.testing.assert_close(
        added.flatten(), 0.3 * draws.normal("ladder/layer_1", added[0].numel()).flatten(),
        atol=0.05, rtol=0.01,
    )  # fmt: skip
    assert not torch.allclose(noisy[2], one[2] + added.mean(), atol=0.05)
    with found._noted({}, images()) as clean:
        made(images())
    assert not torch.allclose(noisy[2], clean[2], atol=0.1)


def test_the_loss_has_the_weighted_error_of_each_rung():
    terms = (loss := loss_of(whole("conv")[1])).terms
    lower = [terms[f"denoising_{name}"] for name in ("pixels", "layer_1", "layer_2")]
    expected = terms["cross_entropy"] + terms["denoising"] + 2 * lower[0] + 0.5 * sum(lower[1:])
    torch.testing.assert_close(loss.total.detach(), expected)
    # At first each guess is 0, the mean of what has variance 1.
    assert [term.item() for term in lower] == pytest.approx([1, 1, 1], abs=1e-2)


def test_guesses_of_all_rungs_get_better():
    one = task("conv", count=128)
    history = config("lateral=1.0", "min_steps=150").classify(one).history
    for name in ("pixels", "layer_1", "layer_2"):
        assert history[-1].train[f"denoising_{name}"] < 0.6, name


def test_a_training_that_is_continued_ends_with_the_same_bits():
    settings, first = config("lateral=1.0", "epochs=1", "min_steps=20"), From(None)
    whole_time = settings.classify(replace(task(), checkpoints=first))
    assert first.kept is not None
    continued = settings.classify(replace(task(), checkpoints=From(first.kept)))
    first_one, second = (
        learned.classifier.encoder.model.state_dict() for learned in (whole_time, continued)
    )
    for key, value in first_one.items():
        assert torch.equal(value, second[key]), key


def test_more_weights_than_rungs_are_refused_before_anything_is_trained():
    config("lateral=[1,1,1]").refuse_layers(task().encoder)
    with pytest.raises(UsageError, match=r"4 weights.* 3 rungs"):
        config("lateral=[1,1,1,1]").refuse_layers(task().encoder)
    with pytest.raises(UsageError, match=r"3 weights.* 2 rungs.*encode=multiscale"):
        config("lateral=[1,1,1]").refuse_layers(task("shallow").encoder)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 31, 30)])
@pytest.mark.parametrize("name", ["conv", "deep", "mae", "backbone", "textbook", "vqvae"])
def test_guesses_have_the_shape_of_their_rungs_for_images_of_any_shape(name, shape):
    encoder = replace(task().encoder, model=variant(name, shape))
    rungs = rungs_of(encoder)
    shapes = [shape, *(rung.shape for rung in rungs)]
    noisy = [torch.randn(3, *one) for one in shapes]
    guesses = Laterals(shapes, 4)(torch.randn(3, 4), noisy)
    assert [tuple(guess.shape[1:]) for guess in guesses] == shapes
