"""How good the features are after each epoch, and how long one trained for that."""

from typing import Any

import torch

from ae_cls.autoencoder.textbook import Textbook
from ae_cls.bench.contenders import Contender
from ae_cls.bench.tutorial import copy_weights, train, tutorial_network
from ae_cls.encode import Encoder
from ae_cls.experiment.benchmark import Benchmark
from ae_cls.head.fitted import Labelled
from ae_cls.run.data import Data, prepare
from ae_cls.train.record import Score
from ae_cls.train.task import TrainTask


def probe(benchmark: Benchmark, contender: Contender) -> list[dict[str, Any]]:
    """One row an epoch: seconds of training so far, and the head's validation accuracy."""
    data = prepare(contender.pretraining(benchmark))
    if contender.loop == "tutorial":
        return _probe_tutorial(benchmark, data)
    return _probe_ours(benchmark, contender, data)


def accuracy(benchmark: Benchmark, data: Data) -> float:
    """Of the head on frozen features, all training labels, on the validation images."""
    encoder = Encoder(data.network, benchmark.encode, data.compute)
    parts = [
        Labelled(encoder.features(part.images), part.labels)
        for part in map(data.labelled, (data.split.labelled, data.split.valid))
    ]
    fitted = benchmark.head.fit(
        *parts, class_count=len(data.dataset.class_names), choose_by="accuracy",
        seed=benchmark.seed, progress=False,
    )  # fmt: skip
    guesses = fitted.predict_proba(parts[1].features).argmax(axis=1)
    return float((guesses == parts[1].labels).mean())


def _probe_ours(benchmark: Benchmark, contender: Contender, data: Data) -> list[dict[str, Any]]:
    accuracies = list[float]()

    def validate(_: int) -> Score:
        accuracies.append(accuracy(benchmark, data))
        return Score(1 - accuracies[-1], {"accuracy": accuracies[-1]})

    task = TrainTask(
        train=data.images(data.split.pretrain),
        valid=data.images(data.split.valid),
        mirrored_is_same=data.dataset.mirrored_is_same,
        seed=benchmark.seed,
        compute=data.compute,
    )
    history = contender.schedule(benchmark).fit(data.network, task, validate=validate)
    return _rows([record.seconds for record in history], accuracies)


def _probe_tutorial(benchmark: Benchmark, data: Data) -> list[dict[str, Any]]:
    assert isinstance(data.network, Textbook)
    torch.manual_seed(benchmark.seed)
    network = tutorial_network(data.network).to(data.compute.device)
    images = data.images(data.split.pretrain)
    seconds, accuracies = list[float](), list[float]()
    for _ in range(benchmark.pretrain.epochs):
        steps = train(
            network, images, batch_size=benchmark.yardstick_batch, lr=benchmark.yardstick_lr,
            device=data.compute.device,
        )  # fmt: skip
        seconds.append(list(steps)[-1])
        copy_weights(network, data.network)
        accuracies.append(accuracy(benchmark, data))
    return _rows(seconds, accuracies)


def _rows(seconds: list[float], accuracies: list[float]) -> list[dict[str, Any]]:
    total, rows = 0.0, list[dict[str, Any]]()
    for own, reached in zip(seconds, accuracies, strict=True):
        total += own
        rows.append({"seconds": round(total, 3), "valid_accuracy": reached})
    return rows
