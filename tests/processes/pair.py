"""What two processes do side by side, and one alone, so that tests can compare."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ae_cls.autoencoder.contract import Loss
from ae_cls.compute import Compute
from ae_cls.encode import Encoder
from ae_cls.experiment import Classification, Pretraining
from ae_cls.head.task import LabelledImages, Task
from ae_cls.pretrain.loop import optimise
from ae_cls.pretrain.record import Score
from ae_cls.pretrain.step import Group
from ae_cls.processes.batch import shared_batch
from ae_cls.processes.norm import norms_over_processes
from ae_cls.processes.together import together
from ae_cls.processes.world import ALONE, World
from ae_cls.stopwatch import Stopwatch
from tests.autoencoder.variants import table, variant
from tests.composed import described

CPU = Compute(torch.device("cpu"), "fp32")
TWO = World(0, 2, 0, 2)
Job = Callable[[World], Any]


def in_two(names: list[str]) -> list[Any]:
    """What each job gives the first of two processes."""
    with together(TWO, CPU.device, 1, take_part, json.dumps(names)):
        return [JOBS[name](TWO) for name in names]


def alone(name: str) -> Any:
    """What the job gives one process."""
    return JOBS[name](ALONE)


def take_part(told: str) -> None:
    """The second process."""
    world = World(1, 2, 1, 2)
    with together(world, CPU.device, 1, take_part, told):
        for name in json.loads(told):
            JOBS[name](world)


def schedule(*words: str):
    small = ("pretrain=quick", "pretrain.least_steps=20", "pretrain.epochs=1")
    found = described("pretrain", *small, *(f"pretrain.{word}" for word in words))
    assert isinstance(found, Pretraining)
    return found.pretrain


def pretraining(name: str, *words: str, given: tuple[str, ...] = ()) -> Job:
    """Losses of each step, validation, weights."""

    def job(world: World) -> dict[str, Any]:
        model = variant(name, (1, 8, 8), words=given)
        losses: list[float] = []
        history = schedule(*words).fit(
            model, Watched(table((1, 8, 8), 50), losses), table((1, 8, 8), 21),
            mirrored_is_same=True, seed=0, compute=replace(CPU, world=world),
        )  # fmt: skip
        return {"history": history, "weights": model.state_dict()}

    return job
