"""The benchmark runs and counts right; nothing here is timed."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.textbook import Textbook
from ae_cls.bench.compare import bench, reached
from ae_cls.bench.contenders import CONTENDERS, RACERS
from ae_cls.bench.race import Rows, race
from ae_cls.bench.speed import flop_per_image
from ae_cls.bench.tutorial import adam, codes, copy_weights, pictures_of, train, tutorial_network
from ae_cls.errors import TrainingError
from ae_cls.experiment.benchmark import Benchmark
from ae_cls.report.bench_table import bench_table
from ae_cls.report.table import print_table
from tests.autoencoder.variants import table, unit, variant
from tests.composed import described

CPU = torch.device("cpu")

SMALL = (
    "dataset=digits",
    "pretrain.epochs=2",
    "pretrain.batch_size=64",
    "pretrain.min_steps=4",
    "autoencoder.widths=[8,8]",
    "yardstick.widths=[4,4]",
    "yardstick_batch=64",
    "head.C=[1.0]",
    "steps=2",
    "repeats=1",
    "until=null",
    "precision=fp32",
)


def small(*words: str) -> Benchmark:
    found = described("bench", *SMALL, *words)
    assert isinstance(found, Benchmark)
    return found


def textbook(shape: tuple[int, int, int]) -> Textbook:
    model = variant("textbook", shape)
    assert isinstance(model, Textbook)
    return model


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_the_tutorials_network_is_the_same_function(shape):
    model, images = textbook(shape), unit(table(shape, 4))
    network = tutorial_network(model)
    before = model.decode(model.encode(images))
    assert not torch.allclose(network(images), before, atol=1e-3)  # it has weights of its own
    copy_weights(network, model)
    torch.testing.assert_close(network(images), model.decode(model.encode(images)))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_the_tutorials_images_are_ours(shape):
    images = table(shape, 4)
    pictures = pictures_of(images, np.arange(4))
    torch.testing.assert_close(torch.stack([pictures[i][0] for i in range(4)]), unit(images))
    assert [pictures[i][1] for i in range(4)] == [0, 1, 2, 3]


def test_the_tutorials_code_is_that_of_its_encoder():
    images, model = table((1, 8, 8), 6), textbook((1, 8, 8))
    network, labels = tutorial_network(model), np.arange(6)
    found, same = codes(network, pictures_of(images, labels), batch_size=4, device=CPU)
    copy_weights(network, model)
    torch.testing.assert_close(torch.from_numpy(found), model.encode(unit(images)))
    assert (same == labels).all()


def test_the_tutorials_loop_learns():
    images = table((1, 8, 8), 64)
    network = tutorial_network(textbook((1, 8, 8)))
    pictures, optimiser = pictures_of(images, np.zeros(64, np.int64)), adam(network, 0.01)

    def error() -> float:
        return (network(unit(images)) - unit(images)).square().mean().item()

    before = error()
    for _ in range(4):
        seconds = list(train(network, pictures, optimiser, batch_size=16, device=CPU))
        assert len(seconds) == 4 and seconds == sorted(seconds)
    assert error() < 0.7 * before


def test_operations_are_counted_forward_and_backward():
    """A shallow network multiplies by its two matrices once forward and twice backward."""
    model: Autoencoder = variant("shallow", (1, 8, 8), words=["autoencoder.latent_dim=16"])
    forward = 2 * 2 * 64 * 16
    # No gradient of the images is asked for.
    backward = 2 * forward - 2 * 64 * 16
    assert flop_per_image(model, table((1, 8, 8), 8)) == forward + backward


def test_yardstick_keeps_batch_rate_and_network_in_every_loop():
    told = [each.pretraining(small()) for each in CONTENDERS]
    assert [each.autoencoder.name for each in told] == ["textbook"] * 3 + ["conv"]
    schedules = [each.schedule(small("pretrain.lr=0.5")) for each in CONTENDERS]
    assert [each.lr for each in schedules] == [0.001] * 3 + [0.5]
    default = described("bench", *(word for word in SMALL if word != "precision=fp32"))
    assert isinstance(default, Benchmark)
    precisions = [each.pretraining(default).precision for each in CONTENDERS]
    assert precisions == ["fp32", "fp32", "auto", "auto"]


@pytest.mark.parametrize("contender", RACERS, ids=str)
def test_a_race_ends_with_the_first_classifier_that_is_good_enough(contender):
    """Its time is all since the process started, but for the tries before it."""
    waited, accuracy = 100.0, 0.3
    started = time.monotonic()
    rows = race(small(f"until={accuracy}"), contender, started - waited)
    assert len(rows) == 1 and accuracy <= rows[0]["valid_accuracy"] <= 1
    assert waited < rows[0]["seconds"] < waited + time.monotonic() - started


@pytest.mark.parametrize("contender", RACERS, ids=str)
def test_a_race_that_nobody_wins_has_a_row_an_epoch(contender):
    rows = race(small("until=0.9999"), contender, time.monotonic())
    assert len(rows) == 2
    assert rows[1]["seconds"] > rows[0]["seconds"] > 0
    assert all(0.1 < row["valid_accuracy"] < 0.9999 for row in rows)


def test_a_try_that_was_too_early_costs_no_time(monkeypatch):
    clock = iter([10.0, 14.0, 15.0, 17.0])  # 4 s of a try, 1 s of training, 2 s of a try
    monkeypatch.setattr("ae_cls.bench.race.time.monotonic", lambda: next(clock))
    rows = Rows(until=0.5, started=0.0)
    assert [rows.add(lambda: 0.4), rows.add(lambda: 0.6)] == [False, True]
    assert [row["seconds"] for row in rows.rows] == [14.0, 13.0]


ROWS = [{"seconds": s, "valid_accuracy": a} for s, a in [(1.0, 0.5), (2.0, 0.8), (3.0, 0.7)]]


def test_an_accuracy_is_reached_by_the_first_epoch_that_has_it():
    found = [reached(ROWS, wanted) for wanted in (0.5, 0.6, 0.9)]
    assert [each["seconds_until"] for each in found] == [1.0, 2.0, None]
    assert found[2]["best_accuracy"] == 0.8 and found[2]["seconds_in_all"] == 3.0


@pytest.mark.parametrize(
    ("until", "said"),
    [
        (0.5, ["tutorial: textbook: 1.0 s", "ae-cls: conv: 0.5 s", "took 2.0 times as long"]),
        (0.9, ["textbook: not reached; 80.0% at best, in 3.0 s", "6.0 times as long and did not"]),
        (0.99, ["textbook: not reached", "conv: not reached; 95.0% at best, in 0.5 s"]),
    ],
)
def test_the_table_says_who_came_first(until, said, capsys):
    rows = [ROWS, [{"seconds": 0.5, "valid_accuracy": 0.95}]]
    racers = [
        {"contender": name, **reached(each, until)}
        for name, each in zip(("tutorial: textbook, fp32", "ae-cls: conv"), rows, strict=True)
    ]
    results = {"contenders": [], "load_before": 0.0, "until": until, "race": racers}
    print_table(bench_table(results, {}, Path("folder")))
    printed = capsys.readouterr().out
    assert all(each in printed for each in said), printed
    assert ("times as long" in printed) == any("times as long" in each for each in said)


@pytest.mark.slow
def test_a_measurement_that_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    broken = small(f"folder={tmp_path / 'b'}", "pretrain.lr=1e30", "yardstick_lr=1e30")
    with pytest.raises(TrainingError) as refused:
        bench(broken)
    assert "not finite" in refused.value.why


def test_operations_are_counted_of_a_loss_that_differentiates_on_its_way() -> None:
    assert flop_per_image(variant("aae", (1, 8, 8)), table((1, 8, 8))) > 0
