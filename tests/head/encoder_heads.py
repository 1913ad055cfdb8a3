"""A task for heads that train the encoder, small settings of theirs, and what all of them do."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows, LabelledImages
from ae_cls.encode import Encoder
from ae_cls.experiment.descriptions import Classification
from ae_cls.head.network import EncoderHeadConfig
from ae_cls.head.task import Learned, Task
from ae_cls.train.checkpoint import NoCheckpoints
from tests.autoencoder.variants import variant
from tests.composed import described

CPU = Compute(torch.device("cpu"), "fp32")
Head = TypeVar("Head", bound=EncoderHeadConfig)


def small(
    kind: type[Head],
    name: str,
    words: Sequence[str],
    *,
    steps: int = 48,
    encode: str = "multiscale",
) -> Head:
    """A head that learns in a second."""
    few = ("epochs=3", "batch_size=16", f"min_steps={steps}", "lr=0.01", "augment.erase=0.0")
    own = tuple(f"head.{word}" for word in (*few, *words))
    found = described("classify", "encoder=x", f"head={name}", f"encode={encode}", *own)
    assert isinstance(found, Classification)
    assert isinstance(found.head, kind)
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
        np.arange(half),
        replace(parts[0].images, rows=np.arange(half, count)),
        parts[1],
        unasked,
        unasked,
        ("above", "below"),
        False,
        "accuracy",
        seed,
        NoCheckpoints(),
    )


def valid_of(one: Task) -> LabelledImages:
    assert one.valid is not None
    return one.valid


def tensors(model) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def learnt_beside_the_given_encoder(head: EncoderHeadConfig, one: Task) -> Learned:
    """What it makes of the task: it answers well, and the encoder it was given is as it was."""
    before = tensors(one.encoder.model)
    learned = head.classify(one)
    found = learned.classifier.predict_proba(valid_of(one).images)
    assert np.mean(found.argmax(1) == valid_of(one).labels) > 0.9
    assert all(torch.equal(before[key], value) for key, value in tensors(one.encoder.model).items())
    return learned
