"""How long it takes from the start of a process to a classifier that is right often enough."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, final

import torch
from sklearn.linear_model import LogisticRegression

from ae_cls.autoencoder.textbook import Textbook
from ae_cls.bench.contenders import Contender
from ae_cls.bench.tutorial import adam, codes, pictures_of, train, tutorial_network
from ae_cls.encode import Encoder
from ae_cls.experiment.benchmark import Benchmark
from ae_cls.head.fitted import Labelled
from ae_cls.pretrain.gradient import with_health
from ae_cls.run.data import Data, prepare
from ae_cls.train.record import Score
from ae_cls.train.task import TrainTask

_MOST_STEPS = 1000  # of scikit-learn's solver, which says so where its default of 100 are too few


def race(benchmark: Benchmark, contender: Contender, started: float) -> list[dict[str, Any]]:
    """One row an epoch: seconds to a classifier after it, and its accuracy on validation images.

    It ends with the first row that reaches `until`, or with the last epoch.

    Args:
        benchmark: what is raced to, and on what.
        contender: a loop and a network.
        started: when the process did, on the monotonic clock, in seconds.
    """
    assert benchmark.until is not None, "no race without an end"
    rows = Rows(benchmark.until, started)
    (_race_tutorial if contender.loop == "tutorial" else _race_ours)(benchmark, contender, rows)
    return rows.rows


@final
class Rows:
    """The rows, and a clock that stands still where somebody in a hurry would not wait.

    Args:
        until: the accuracy that ends the race.
        started: on the monotonic clock, in seconds.
    """

    def __init__(self, until: float, started: float) -> None:
        self.until, self.started, self.rows = until, started, list[dict[str, Any]]()

    def free(self, seconds: float) -> None:
        """Leave these out of what is counted."""
        self.started += seconds

    def add(self, judge: Callable[[], float]) -> bool:
        """Judge the network as it is; whether it is good enough.

        Whoever knows how long to train judges once. So a try counts where it is the last one.
        """
        before = time.monotonic()
        accuracy = judge()
        after = time.monotonic()
        seconds = round(after - self.started, 3)
        self.rows.append({"seconds": seconds, "valid_accuracy": accuracy})
        self.free(after - before)
        return accuracy >= self.until


class _Reached(Exception):
    """Ends a training that is long enough."""


def _race_ours(benchmark: Benchmark, contender: Contender, rows: Rows) -> None:
    """As `ae-cls run`: the same images, training, features and head."""
    data = prepare(contender.pretraining(benchmark))
    task = TrainTask(
        train=data.images(data.split.pretrain),
        valid=data.images(data.split.watched),
        mirrored_is_same=data.dataset.mirrored_is_same,
        seed=benchmark.seed,
        compute=data.compute,
    )
    watched = with_health(data.network, task)

    def validate(number: int) -> Score:
        score = watched(number)
        if rows.add(lambda: _our_accuracy(benchmark, data)):
            raise _Reached
        return score

    with suppress(_Reached):
        contender.schedule(benchmark).fit(data.network, task, validate=validate)


def _our_accuracy(benchmark: Benchmark, data: Data) -> float:
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


def _race_tutorial(benchmark: Benchmark, contender: Contender, rows: Rows) -> None:
    """Their network and loop, then scikit-learn's logistic regression on the code.

    Reading the images costs nothing here: a tutorial would not look for copies among them.
    """
    before = time.monotonic()
    data = prepare(contender.pretraining(benchmark))
    assert isinstance(data.network, Textbook)
    to_train, labelled, valid = (
        pictures_of(data.images(part), data.dataset.labels_of(part))
        for part in (data.split.pretrain, data.split.labelled, data.split.valid)
    )
    rows.free(time.monotonic() - before)
    torch.manual_seed(benchmark.seed)
    network = tutorial_network(data.network).to(data.compute.device)
    optimiser = adam(network, benchmark.yardstick_lr)

    how: dict[str, Any] = {"batch_size": benchmark.yardstick_batch, "device": data.compute.device}

    def accuracy() -> float:
        regression = LogisticRegression(max_iter=_MOST_STEPS)
        regression.fit(*codes(network, labelled, **how))
        return float(regression.score(*codes(network, valid, **how)))

    for _ in range(benchmark.pretrain.epochs):
        for _ in train(network, to_train, optimiser, **how):
            pass
        if rows.add(accuracy):
            break
