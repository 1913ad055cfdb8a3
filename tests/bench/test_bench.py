"""The benchmark runs and counts right; nothing here is timed."""

import pytest
import torch

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.textbook import Textbook
from ae_cls.bench.compare import bench, seconds_until
from ae_cls.bench.contenders import CONTENDERS
from ae_cls.bench.probe import probe
from ae_cls.bench.speed import flop_per_image
from ae_cls.bench.tutorial import TorchvisionImages, copy_weights, train, tutorial_network
from ae_cls.errors import TrainingError
from ae_cls.experiment.benchmark import Benchmark
from tests.autoencoder.variants import table, unit, variant
from tests.composed import described

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
    pictures = TorchvisionImages(images.images.permute(0, 2, 3, 1).numpy())
    torch.testing.assert_close(torch.stack([pictures[i][0] for i in range(4)]), unit(images))


def test_the_tutorials_loop_learns():
    images = table((1, 8, 8), 64)
    network = tutorial_network(textbook((1, 8, 8)))

    def error() -> float:
        return (network(unit(images)) - unit(images)).square().mean().item()

    before = error()
    for _ in range(4):
        seconds = list(train(network, images, batch_size=16, lr=0.01, device=torch.device("cpu")))
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


@pytest.mark.parametrize("contender", CONTENDERS, ids=str)
def test_a_probe_has_a_row_an_epoch(contender):
    rows = probe(small(), contender)
    assert len(rows) == 2
    assert rows[1]["seconds"] > rows[0]["seconds"] > 0
    assert all(0.1 < row["valid_accuracy"] <= 1 for row in rows)


def test_seconds_until_an_accuracy_are_of_the_first_epoch_that_reached_it():
    rows = [{"seconds": s, "valid_accuracy": a} for s, a in [(1.0, 0.5), (2.0, 0.8), (3.0, 0.7)]]
    assert [seconds_until(rows, wanted) for wanted in (0.5, 0.6, 0.9)] == [1.0, 2.0, None]


@pytest.mark.slow
def test_a_measurement_that_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    broken = small(f"folder={tmp_path / 'b'}", "pretrain.lr=1e30", "yardstick_lr=1e30")
    with pytest.raises(TrainingError) as refused:
        bench(broken)
    assert "not finite" in refused.value.why
