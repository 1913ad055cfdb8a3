"""A training that was stopped at any step ends as one that never was, to the last byte."""

import json
import math

import pytest
import torch

from ae_cls.compute import Compute
from ae_cls.pretrain.gradient import GradientPretraining
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.store.weights import weights_bytes
from ae_cls.train.checkpoint import Checkpoint, Checkpoints, NoCheckpoints
from ae_cls.train.task import TrainTask
from tests.autoencoder.variants import TRAINED, table, variant
from tests.composed import described

CPU = Compute(torch.device("cpu"), "fp32")
IMAGES, VALID = table((1, 8, 8), 30), table((1, 8, 8), 10)
STEPS = 12  # 3 epochs of 4


class StopsAt(Checkpoints):
    """Ctrl-C after so many steps of this process."""

    def __init__(self, inner: Checkpoints, steps: int) -> None:
        self.inner, self.left = inner, steps

    def newest(self) -> Checkpoint | None:
        return self.inner.newest()

    def is_due(self, *, epoch_ended: bool) -> bool:
        self.left -= not epoch_ended
        if self.left == 0:
            raise KeyboardInterrupt
        return False

    def keep(self, checkpoint: Checkpoint) -> None:
        self.inner.keep(checkpoint)


def train(name: str, checkpoints: Checkpoints, *words: str):
    small = ("pretrain=quick", "pretrain.batch_size=8", "pretrain.min_steps=12")
    told = described("pretrain", *small, "pretrain.epochs=3", *words)
    assert isinstance(told.pretrain, GradientPretraining)
    model = variant(name, (1, 8, 8))
    task = TrainTask(IMAGES, VALID, True, 0, CPU, checkpoints)
    history = told.pretrain.fit(model, task)
    return weights_bytes(model), json.dumps([record.as_dict() for record in history])


def stops(name: str) -> tuple[int, ...]:
    """Steps to stop after: within two epochs; of one variant also where epochs begin and end."""
    return (1, 2, 4, 5, STEPS) if name == "conv" else (2, 5)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        *((name, stops(name)) for name in TRAINED),
        pytest.param("conv", range(1, STEPS + 1), marks=pytest.mark.slow),
    ],
)
def test_a_stop_after_any_step_changes_no_byte(tmp_path, name, steps):
    straight = train(name, NoCheckpoints())
    for step in steps:
        folder = CheckpointFolder(tmp_path / str(step), of="a", every=math.inf)
        with pytest.raises(KeyboardInterrupt):
            train(name, StopsAt(folder, step))
        newest = folder.newest()
        assert newest is not None
        assert newest.step == step
        assert train(name, CheckpointFolder(folder.folder, of="a", every=math.inf)) == straight


def test_many_stops_change_no_byte(tmp_path):
    straight = train("vae", NoCheckpoints())
    folder = CheckpointFolder(tmp_path, of="a", every=math.inf)
    for _ in range(STEPS // 2):
        with pytest.raises(KeyboardInterrupt):
            train("vae", StopsAt(folder, 2))
    assert train("vae", folder) == straight
