"""What all processes of a run do together: train, encode, fine-tune.

Each has the data and the network. The first one does it in the course of a run; the others are told
what to do, and get its weights.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jaxtyping import Float32

from ae_cls.dataset.split import Part
from ae_cls.encode import Encoder
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.experiment.read import read_run
from ae_cls.head.fitted import Labelled
from ae_cls.head.task import Learned, Task
from ae_cls.processes.helper import tasks_of_the_first
from ae_cls.processes.meeting import world_of
from ae_cls.processes.world import World
from ae_cls.run.data import Prepared, prepare
from ae_cls.train.checkpoint import Checkpoints, NoCheckpoints
from ae_cls.train.record import EpochRecord
from ae_cls.train.task import TrainTask


@final
@dataclass(frozen=True)
class SharedWork:
    """One run as a process of the world sees it.

    Attributes:
        prepared: data, split, network.
        world: the processes.
    """

    prepared: Prepared
    world: World

    def pretrain(
        self, description: Experiment | Pretraining, checkpoints: Checkpoints
    ) -> list[EpochRecord]:
        """Train the network in place, on images without labels."""
        prepared, split = self.prepared, self.prepared.split
        task = TrainTask(
            train=prepared.images(split.pretrain),
            valid=prepared.images(split.valid),
            mirrored_is_same=prepared.dataset.mirrored_is_same,
            seed=description.seed,
            compute=replace(prepared.compute, world=self.world),
            checkpoints=checkpoints,
        )
        return description.pretrain.fit(prepared.model, task)

    def encode(self, experiment: Experiment, part: Part) -> Iterator[Float32[np.ndarray, "_ d"]]:
        """Features of a part, a batch at a time, for the first process; none for the others."""
        images = self.prepared.images(getattr(self.prepared.split, part))
        return self._encoder(experiment).parts(images)

    def classify(
        self,
        experiment: Experiment,
        features: Callable[[], tuple[Labelled, Labelled]],
        checkpoints: Checkpoints,
    ) -> Learned:
        """The head fitted on the labelled images."""
        prepared = self.prepared
        return experiment.head.classify(
            Task(
                encoder=self._encoder(experiment),
                train=prepared.labelled(prepared.split.labelled),
                valid=prepared.labelled(prepared.split.valid),
                features=features,
                class_names=prepared.dataset.class_names,
                mirrored_is_same=prepared.dataset.mirrored_is_same,
                seed=experiment.seed,
                checkpoints=checkpoints,
            )
        )

    def _encoder(self, experiment: Experiment) -> Encoder:
        """With the first process's weights."""
        model, compute = self.prepared.model, replace(self.prepared.compute, world=self.world)
        self.world.copy_from_first(model.state_dict().values())
        return Encoder(model, experiment.encode, compute)


def help_first(told: str) -> None:
    """What a process does that is not the first: all that the first one calls for.

    Args:
        told: the description of the run as JSON.

    Raises:
        TrainingError: another process ended before its time.
    """
    description = read_run(json.loads(told))
    prepared = prepare(description)
    work = SharedWork(prepared, world_of(description.devices))
    with tasks_of_the_first(prepared.compute.device, description.threads) as tasks:
        for task in tasks:
            _do(task, work, description)


def _do(task: Any, work: SharedWork, description: Experiment | Pretraining) -> None:
    stage, part = task
    if stage == "pretrain":
        work.pretrain(description, NoCheckpoints())
        return
    assert isinstance(description, Experiment)
    if stage == "encode":
        assert not list(work.encode(description, part))
    else:
        work.classify(description, _no_features, NoCheckpoints())


def _no_features() -> tuple[Labelled, Labelled]:
    raise AssertionError("a head on features is fitted by the first process alone")
