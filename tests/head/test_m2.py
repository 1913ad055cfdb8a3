"""M2: images with and without a label in one bound, and labels learnt beside it."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ae_cls.autoencoder.conditional_vae import ConditionalVae
from ae_cls.autoencoder.contract import build
from ae_cls.autoencoder.parts.variational import negative_log_likelihood
from ae_cls.dataset.rows import to_unit
from ae_cls.draws import Draws
from ae_cls.encode import Encoder, LatentConfig
from ae_cls.errors import UsageError
from ae_cls.head.m2 import M2Config, _Bound, _OwnClasses
from ae_cls.head.network import encoder_groups, rest_of
from ae_cls.head.semi_supervised import Shown
from ae_cls.head.task import Task
from ae_cls.jobs.commands import COMMANDS
from tests.autoencoder.variants import config as autoencoder
from tests.composed import described
from tests.head.encoder_heads import CPU, learnt_beside_the_given_encoder, small, valid_of
from tests.head.encoder_heads import task as task_on

ITS_WORDS = ("autoencoder=conditional_vae", "encode=latent", "head=m2")


def config(*words: str) -> M2Config:
    return small(M2Config, "m2", words, encode="latent")


def task() -> Task:
    two = autoencoder("conditional_vae").small().model_copy(update={"classes": 2})
    encoder = Encoder(build(two, (1, 8, 8), 0), LatentConfig(name="latent"), CPU)
    return replace(task_on(), encoder=encoder)


def encoder_of(one: Task) -> ConditionalVae:
    assert isinstance(one.encoder.model, ConditionalVae)
    return one.encoder.model


def test_it_learns_and_leaves_the_given_encoder_as_it_was():
    one = task()
    learned = learnt_beside_the_given_encoder(config(), one)
    assert learned.classifier.head.facts["unlabelled_rows"] == 32


def test_its_answer_is_the_probabilities_at_the_end_of_the_code():
    learned = config().classify(task())
    images, model = valid_of(task()).images, learned.classifier.encoder.model
    with torch.inference_mode():
        codes = model.encode(to_unit(images.take(torch.arange(len(images))), CPU.device))
    found = learned.classifier.predict_proba(images)
    assert found == pytest.approx(codes[:, -2:].exp().numpy(), rel=1e-5)


def test_the_loss_is_the_bound_of_both_kinds_and_the_cross_entropy():
    encoder, labels = encoder_of(task()).eval().double(), torch.arange(10) % 2
    settings = config("classification=3.0", "label_smoothing=0.0")
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    positions = torch.tensor([3, 40, 5, 50, 60, 0])
    draws = Draws(0, 0, positions)
    found = _Bound(settings, encoder, Shown(labels, None, 0.0), share=0.2).loss(
        images, positions, draws, 1.0
    )
    costs = encoder.class_costs(images, draws)
    error = bound = entropy = torch.zeros(()).double()
    for row, position in enumerate(positions.tolist()):
        if position < 10:
            label, weight = int(labels[position]), 0.2 / 3
            error = error + weight * costs.errors[row, label]
            bound = bound + weight * (costs.divergences[row, label] + math.log(2))
            entropy = entropy - costs.log_probabilities[row, label] / 3
            continue
        q, weight = costs.log_probabilities[row].exp(), 0.8 / 3
        error = error + weight * (q * costs.errors[row]).sum()
        from_uniform = (q * (q * 2).log()).sum()
        bound = bound + weight * ((q * costs.divergences[row]).sum() + from_uniform)
    expected = negative_log_likelihood(error, 64) + bound + 3 * entropy
    torch.testing.assert_close(found.total, expected)
    torch.testing.assert_close(found.terms["cross_entropy"], entropy)


def test_with_all_labels_shown_nothing_is_guessed():
    one = task()
    nothing = replace(one.unlabelled, rows=one.unlabelled.rows[:0])
    learned = config().classify(replace(one, unlabelled=nothing))
    assert learned.classifier.head.facts["unlabelled_rows"] == 0
    assert learned.history[-1].train["class_kl"] == pytest.approx(math.log(2))
    assert learned.history[-1].train["accuracy"] > 0.8


def test_every_weight_is_trained_and_once():
    network = _OwnClasses(encoder_of(task()))
    groups = [*encoder_groups(network.encoder, 0.5), rest_of(network.encoder)]
    grouped = [id(p) for group in groups for module in group.modules for p in module.parameters()]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize(
    "words", [("autoencoder=conv", "encode=latent"), ("autoencoder=conditional_vae",)]
)
def test_without_classes_in_the_code_it_is_refused_with_the_words_to_add(words):
    with pytest.raises(UsageError, match="add autoencoder=conditional_vae encode=latent"):
        described("run", "head=m2", *words)


def test_another_number_of_classes_is_refused_before_a_folder_is_made(tmp_path: Path):
    words = ("autoencoder.classes=7", "device=cpu", f"outputs={tmp_path}")
    with pytest.raises(UsageError, match="the 7 classes in the code") as refusal:
        COMMANDS["run"](described("run", *ITS_WORDS, *words))
    assert "autoencoder.classes=10" in refusal.value.fix
    assert not list(tmp_path.iterdir())
