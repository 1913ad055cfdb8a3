"""Fine-tuning: the given encoder stays, a copy learns, early layers slower."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score

from ae_cls.dataset.rows import LabelledImages, to_unit
from ae_cls.head.finetune import FinetuneConfig
from ae_cls.head.network import classification_loss, layer_groups, network_of, score
from ae_cls.head.softmax import Softmax
from ae_cls.head.task import Task
from tests.autoencoder.variants import TRAINED
from tests.head.encoder_heads import (
    CPU,
    learnt_beside_the_given_encoder,
    small,
    task,
    tensors,
    valid_of,
)


def config(*words: str) -> FinetuneConfig:
    return small(FinetuneConfig, "finetune", words, steps=24)


@pytest.mark.parametrize("name", TRAINED)
def test_it_learns_and_leaves_the_given_encoder_as_it_was(name):
    one = task(name)
    before = tensors(one.encoder.model)
    learned = learnt_beside_the_given_encoder(config(), one)
    found = learned.classifier.predict_proba(valid_of(one).images)
    assert found.sum(1) == pytest.approx(1)
    tuned = tensors(learned.classifier.encoder.model)
    assert any(not torch.equal(before[key], value) for key, value in tuned.items())


def test_the_head_gives_what_the_network_gave_on_validation():
    one = task()
    learned = config().classify(one)
    found = learned.classifier.predict_proba(valid_of(one).images)
    best = [record for record in learned.history if record.best][-1]
    assert np.mean(found.argmax(1) == valid_of(one).labels) == pytest.approx(best.valid["accuracy"])
    chosen = found[np.arange(len(found)), valid_of(one).labels]
    assert -np.log(chosen).mean() == pytest.approx(best.valid["loss"], rel=1e-4)


def thinned(whole: Task, rare: int, most: int) -> Task:
    """The task with a few labelled images of a class, of which validation keeps all."""
    labels, rows = whole.train.labels, whole.train.images.rows
    kept = np.sort(
        np.concatenate([np.flatnonzero(labels != rare), np.flatnonzero(labels == rare)[:most]])
    )
    images = replace(whole.train.images, rows=rows[kept])
    part = LabelledImages(images, labels[kept])
    return replace(whole, train=part, units=np.arange(len(kept)))


def test_images_of_a_rare_class_weigh_more_in_the_loss_and_the_weights_are_told():
    one = thinned(task(), 1, 2)
    counts = np.bincount(one.train.labels)
    expected = counts.sum() / 2 / counts
    plain, weighed = (
        config(f"class_weight={weight}").classify(one) for weight in ("null", "balanced")
    )
    facts = [learned.classifier.head.facts["class_weight"] for learned in (plain, weighed)]
    assert facts[0] is None
    assert isinstance(facts[1], dict) and facts[1]["weights"] == pytest.approx(expected.tolist())
    network = network_of(one)
    torch.nn.init.normal_(network.to_logits.weight, generator=torch.Generator().manual_seed(1))
    images, labels = torch.rand(8, 1, 8, 8), torch.arange(8) % 2
    smoothing = config().label_smoothing
    loss = classification_loss(
        network.eval(), images, labels, expected, label_smoothing=smoothing
    ).total
    of_images = torch.nn.functional.cross_entropy(
        network(images), labels, label_smoothing=smoothing, reduction="none"
    )
    by_hand = (of_images.detach().numpy() * expected[labels.numpy()]).mean()
    assert loss.item() == pytest.approx(by_hand)
    assert weighed.history[0].train["loss"] != plain.history[0].train["loss"]


def test_with_equally_many_images_class_weights_change_nothing():
    one = task(count=128)
    even = min(np.bincount(one.train.labels))
    one = thinned(thinned(one, 0, even), 1, even)
    plain, weighed = (
        config(f"class_weight={weight}").classify(one).classifier for weight in ("null", "balanced")
    )
    images = valid_of(one).images
    assert plain.predict_proba(images).tobytes() == weighed.predict_proba(images).tobytes()


@pytest.mark.parametrize(
    ("measure", "theirs"),
    [
        ("balanced_accuracy", balanced_accuracy_score),
        ("macro_f1", lambda labels, answers: f1_score(labels, answers, average="macro")),
    ],
)
def test_epochs_are_scored_by_the_measure(measure, theirs):
    one = replace(task(count=90), choose_by=measure)
    one = replace(one, valid=thinned(replace(one, train=valid_of(one)), 1, 7).train)
    network = network_of(one)
    torch.nn.init.normal_(network.to_logits.weight, generator=torch.Generator().manual_seed(1))
    found = score(network, valid_of(one), CPU, measure)
    with torch.inference_mode():
        everything = valid_of(one).images.take(torch.arange(len(valid_of(one).images)))
        answers = network.eval()(to_unit(everything, CPU.device)).argmax(1).numpy()
    expected = theirs(valid_of(one).labels, answers)
    assert 0 < expected < 1 and expected != found.terms["accuracy"]
    assert found.terms[measure] == pytest.approx(expected)
    assert found.value == pytest.approx(1 - expected, abs=1e-8)
    assert found.value > 1 - expected  # the log loss parts equal ones
    history = config().classify(one).history
    best = [record.valid[measure] for record in history if record.best][-1]
    assert best == max(record.valid[measure] for record in history)


def test_the_saved_head_predicts_the_same():
    one = task()
    classifier = config().classify(one).classifier
    loaded = config().load(classifier.head.files())
    features = classifier.encoder.features(valid_of(one).images)
    assert isinstance(loaded, Softmax)
    assert np.array_equal(loaded.predict_proba(features), classifier.head.predict_proba(features))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    first, again, other = (config().classify(task(seed=seed)).classifier for seed in (0, 0, 1))
    assert first.head.files() == again.head.files()
    assert first.head.files() != other.head.files()


def test_early_layers_learn_slower():
    network = network_of(task())
    rates = [group.rate for group in layer_groups(network, 0.5)]
    # Two stages, the code layer, the linear layer on top.
    assert rates == [0.125, 0.25, 0.5, 1.0]
    depths = [group.modules for group in layer_groups(network, 0.5)]
    assert depths[0] == [network.encoder.trunk.stages[0]]


def test_no_decay_of_the_rate_is_one_rate_for_all():
    assert {group.rate for group in layer_groups(network_of(task()), 1.0)} == {1.0}


def test_an_untrained_network_is_at_chance_and_unsure():
    one = task()
    found = score(network_of(one), valid_of(one), CPU, "accuracy")
    assert found.terms["loss"] == pytest.approx(np.log(2))  # the linear layer starts at 0


def test_without_validation_labels_the_schedule_is_kept_and_its_last_weights():
    one = replace(task(), valid=None)
    learned = config("patience=1").classify(one)
    assert len(learned.history) == 3
    assert all(record.best and not record.valid for record in learned.history)
    assert "schedule" in str(learned.classifier.head.facts["chosen_on"])
    with_choice = config().classify(task())
    assert [record.train for record in learned.history] == [
        record.train for record in with_choice.history
    ]
