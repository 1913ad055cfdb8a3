"""How many threads train: as many as are fastest, and as many as before after a break."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from ae_cls.compute import Compute, start
from ae_cls.train import loop
from ae_cls.train.checkpoint import Checkpoint, Checkpoints
from ae_cls.train.threads import take_fastest
from tests.autoencoder.variants import table, variant
from tests.train.test_loop import schedule, task


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Kept(Checkpoints):
    """All checkpoints of a training, in memory; due when a test says so."""

    def __init__(self, newest: Checkpoint | None = None) -> None:
        self.all = [newest] if newest else []

    def newest(self) -> Checkpoint | None:
        return self.all[-1] if self.all else None

    def is_due(self, *, epoch_ended: bool) -> bool:
        return False

    def keep(self, checkpoint: Checkpoint) -> None:
        self.all.append(checkpoint)


def seconds_by_threads(seconds: dict[int, float], asked: list[int]) -> Callable[[], float]:
    def work() -> float:
        asked.append(torch.get_num_threads())
        return seconds[torch.get_num_threads()]

    return work


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({8: 1.0, 4: 1.9}, 8),  # idle
        ({8: 1.0, 4: 0.95}, 8),  # no clear gain
        ({8: 1.0, 4: 0.5, 2: 0.6}, 4),
        ({8: 8.0, 4: 4.0, 2: 2.0, 1: 1.0}, 1),
    ],
)
def test_fewer_threads_are_taken_only_where_they_are_clearly_faster(
    seconds: dict[int, float], chosen: int
) -> None:
    asked: list[int] = []
    assert take_fastest(8, seconds_by_threads(seconds, asked)) == chosen
    assert torch.get_num_threads() == chosen
    assert set(asked) == set(seconds), "halving ends where it does not help"


def fit(compute: Compute, checkpoints: Checkpoints, *words: str) -> None:
    given = replace(task(table((1, 8, 8), 20)), compute=compute, checkpoints=checkpoints)
    schedule("epochs=2", *words).fit(variant("conv", (1, 8, 8)), given)


def test_a_number_that_is_asked_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ae_cls.train.trial.take_fastest", lambda most, work: pytest.fail("tried"))
    kept = Kept()
    fit(start("cpu", "fp32", 2), kept)
    assert [checkpoint.facts.threads for checkpoint in kept.all] == [2]


def test_after_a_long_epoch_the_number_is_chosen_anew_and_kept_with_a_checkpoint(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loop, "_WORTH_A_TRIAL", 0.0)
    chosen = iter([2, 1])

    def take(most: int, work: Callable[[], float]) -> None:
        torch.set_num_threads(next(chosen))

    monkeypatch.setattr("ae_cls.train.trial.take_fastest", take)
    torch.set_num_threads(2)
    kept = Kept()
    with caplog.at_level(logging.INFO, "ae_cls"):
        fit(start("cpu", "fp32", "auto"), kept)
    assert [(c.step, c.facts.threads) for c in kept.all] == [(3, 1), (6, 1)]
    assert "pretrain: on 1 of 2 threads, as the machine is busy" in caplog.text


def test_a_stopped_training_goes_on_with_as_many_threads_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ae_cls.train.trial.take_fastest", lambda most, work: pytest.fail("tried"))
    torch.set_num_threads(1)
    kept = Kept()
    fit(start("cpu", "fp32", 1), kept, "epochs=1")
    torch.set_num_threads(2)
    compute = start("cpu", "fp32", "auto")
    assert compute.most_threads == 2
    fit(compute, kept)
    assert kept.all[-1].step == 6 and kept.all[-1].facts.threads == 1
    fit(start("cpu", "fp32", 2), again := Kept(kept.all[0]))
    assert again.all[-1].facts.threads == 2, "a number that is asked for stands above it"
