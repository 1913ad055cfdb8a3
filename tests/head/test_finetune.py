"""Fine-tuning: the given encoder stays, a copy learns, early layers slower."""

import numpy as np
import pytest
import torch

from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows, LabelledImages
from ae_cls.encode import Encoder
from ae_cls.experiment.descriptions import Classification
from ae_cls.head.finetune import FinetuneConfig, _groups, _network, score
from ae_cls.head.softmax import Softmax
from ae_cls.head.task import Task
from ae_cls.train.checkpoint import NoCheckpoints
from tests.autoencoder.variants import TRAINED, variant
from tests.composed import described

CPU = Compute(torch.device("cpu"), "fp32")


def config(*words: str) -> FinetuneConfig:
    small = ("epochs=3", "batch_size=16", "least_steps=8", "lr=0.01", "augment.erase=0.0")
    words = tuple(f"head.{word}" for word in (*small, *words))
    found = described("classify", "encoder=x", "head=finetune", "encode=multiscale", *words)
    assert isinstance(found, Classification)
    assert isinstance(found.head, FinetuneConfig)
    return found.head


def unasked():
    raise AssertionError("fine-tuning reads images, not features")


def task(name: str = "conv", *, seed: int = 0, count: int = 64) -> Task:
    """Two classes: bright above, bright below."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, count)
    images = rng.integers(0, 120, (count, 1, 8, 8))
    for image, label in zip(images, labels, strict=True):
        image[0, 4 * label : 4 * label + 4] += 100
    table, half = torch.from_numpy(images.astype(np.uint8)), count // 2
    parts = [
        LabelledImages(ImageRows(table, rows), labels[rows].astype(np.int64))
        for rows in (np.arange(half), np.arange(half, count))
    ]
    encode = described("classify", "encoder=x", "encode=multiscale")
    assert isinstance(encode, Classification)
    encoder = Encoder(variant(name, (1, 8, 8)), encode.encode, CPU)
    return Task(
        encoder,
        parts[0],
        parts[1],
        unasked,
        ("above", "below"),
        False,
        "accuracy",
        seed,
        NoCheckpoints(),
    )


def tensors(model) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("name", TRAINED)
def test_it_learns_and_leaves_the_given_encoder_as_it_was(name):
    one = task(name)
    before = tensors(one.encoder.model)
    learned = config().classify(one)
    found = learned.classifier.predict_proba(one.valid.images)
    assert np.mean(found.argmax(1) == one.valid.labels) > 0.9
    assert found.sum(1) == pytest.approx(1)
    assert all(torch.equal(before[key], value) for key, value in tensors(one.encoder.model).items())
    tuned = tensors(learned.classifier.encoder.model)
    assert any(not torch.equal(before[key], value) for key, value in tuned.items())


def test_the_head_gives_what_the_network_gave_on_validation():
    one = task()
    learned = config().classify(one)
    found = learned.classifier.predict_proba(one.valid.images)
    best = [record for record in learned.history if record.best][-1]
    assert np.mean(found.argmax(1) == one.valid.labels) == pytest.approx(best.valid["accuracy"])
    chosen = found[np.arange(len(found)), one.valid.labels]
    assert -np.log(chosen).mean() == pytest.approx(best.valid["loss"], rel=1e-4)


def test_the_saved_head_predicts_the_same():
    one = task()
    classifier = config().classify(one).classifier
    loaded = config().load(classifier.head.files())
    features = classifier.encoder.features(one.valid.images)
    assert isinstance(loaded, Softmax)
    assert np.array_equal(loaded.predict_proba(features), classifier.head.predict_proba(features))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    first, again, other = (config().classify(task(seed=seed)).classifier for seed in (0, 0, 1))
    assert first.head.files() == again.head.files()
    assert first.head.files() != other.head.files()


def test_early_layers_learn_slower():
    network = _network(task())
    rates = [group.rate for group in _groups(network, 0.5)]
    # Two stages, the code layer, the linear layer on top.
    assert rates == [0.125, 0.25, 0.5, 1.0]
    depths = [group.modules for group in _groups(network, 0.5)]
    assert depths[0] == [network.encoder.trunk.stages[0]]


def test_no_decay_of_the_rate_is_one_rate_for_all():
    assert {group.rate for group in _groups(_network(task()), 1.0)} == {1.0}


def test_an_untrained_network_is_at_chance_and_unsure():
    one = task()
    found = score(_network(one), one.valid, CPU, "accuracy")
    assert found.terms["loss"] == pytest.approx(np.log(2))  # the linear layer starts at 0
