"""Labels and rebuilding together: each part of the loss, and what is left without it."""

from dataclasses import replace

import pytest
import torch

from ae_cls.draws import Draws
from ae_cls.head.joint import JointConfig, _Both
from ae_cls.head.network import layer_groups, network_of, rest_of
from ae_cls.head.semi_supervised import Shown
from ae_cls.train.order import Mixed
from tests.autoencoder.variants import TRAINED
from tests.head.encoder_heads import learnt_beside_the_given_encoder, small, task, valid_of
from tests.head.test_finetune import config as finetuning


def config(*words: str) -> JointConfig:
    return small(JointConfig, "joint", words)


@pytest.mark.parametrize("name", TRAINED)
def test_it_learns_and_leaves_the_given_encoder_as_it_was(name):
    one = task(name)
    learned = learnt_beside_the_given_encoder(small(JointConfig, "joint", (), steps=36), one)
    assert learned.classifier.head.facts["unlabelled_rows"] == 32


def test_without_rebuilding_it_is_fine_tuning_to_the_byte():
    joint = config("reconstruction=0").classify(task()).classifier
    settings = finetuning().model_copy(update={"min_steps": config().min_steps})
    plain = settings.classify(task()).classifier
    images = valid_of(task()).images
    assert joint.predict_proba(images).tobytes() == plain.predict_proba(images).tobytes()
    assert "unlabelled_rows" not in joint.head.facts


def test_what_is_rebuilt_is_rebuilt_better_than_after_fine_tuning():
    one = task()
    images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    draws = Draws(0, 0, torch.arange(64))
    losses = [
        head.classify(one).classifier.encoder.model.eval().loss(images, draws, 1.0).total.item()
        for head in (config(), finetuning())
    ]
    assert losses[0] < losses[1]


@pytest.mark.parametrize(
    ("decay", "progress", "share"), [("constant", 0.5, 1), ("cosine", 0.5, 0.5)]
)
def test_the_loss_is_the_sum_of_both_parts(decay, progress, share):
    one, settings = task(), config("reconstruction=2", f"decay={decay}", "label_smoothing=0.0")
    network, labels = network_of(one), torch.from_numpy(one.train.labels)
    torch.nn.init.normal_(network.to_logits.weight, generator=torch.Generator().manual_seed(1))
    network.eval()
    images = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    positions = torch.tensor([3, 40, 5, 50, 60, 0, 33, 34, 35, 36, 37, 38])
    draws = Draws(0, 0, positions)
    both = _Both(settings, network, Shown(labels, None, 0.0), unit=0.25).loss(
        images, positions, draws, progress
    )
    shown = [0, 2, 5]
    entropy = torch.nn.functional.cross_entropy(network(images)[shown], labels[positions[shown]])
    rebuilt = network.encoder.loss(images, draws, progress)
    assert both.total.item() == pytest.approx((entropy + 2 * share * rebuilt.total / 0.25).item())
    assert both.terms["cross_entropy"].item() == pytest.approx(entropy.item())
    assert both.terms["mse"].item() == pytest.approx(rebuilt.terms["mse"].item())


def test_batch_norms_remember_what_is_classified_and_not_what_is_rebuilt():
    one = task()
    first, second = network_of(one).train(), network_of(one).train()
    images, positions = torch.rand(16, 1, 8, 8), torch.arange(16)
    shown = config().shown(one)
    _Both(config(), first, shown, 1.0).loss(images, positions, Draws(0, 0, positions), 0.0)
    second(images)
    for key, value in second.state_dict().items():
        if "running" in key:
            assert torch.equal(first.state_dict()[key], value), key


@pytest.mark.parametrize("name", TRAINED)
def test_every_weight_is_trained_and_once(name):
    network = network_of(task(name))
    groups = [*layer_groups(network, 0.5), rest_of(network.encoder)]
    grouped = [id(p) for group in groups for module in group.modules for p in module.parameters()]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())


def test_with_all_labels_shown_there_is_nothing_beside():
    one = task()
    nothing = replace(one.unlabelled, rows=one.unlabelled.rows[:0])
    learned = config().classify(replace(one, unlabelled=nothing))
    assert learned.classifier.head.facts["unlabelled_rows"] == 0
    assert learned.history[-1].train["accuracy"] > 0.8


def test_a_batch_has_its_share_of_labelled_images_and_a_pass_has_each_image_once():
    positions_at = Mixed(first=10, share=0.25)(count=58, batch_size=16, seed=0)
    steps = [positions_at(step) for step in range(4)]
    assert [len(positions) for _, positions in steps] == [16, 16, 14, 16]
    others = torch.cat([positions[positions >= 10] for _, positions in steps])
    assert sorted(others.tolist()) == list(range(10, 58))
    firsts = torch.cat([positions[positions < 10] for _, positions in steps[:3]])
    assert sorted(firsts.tolist()) == list(range(10))
    assert [number for number, _ in steps] == [0, 0, 0, 1]


def test_few_labelled_images_leave_the_rest_of_the_batch_to_the_others():
    _, positions = Mixed(first=3, share=0.25)(count=100, batch_size=32, seed=0)(0)
    assert (positions < 3).sum() == 3 and len(positions) == 32
