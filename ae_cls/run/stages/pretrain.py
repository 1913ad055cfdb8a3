"""The first stage: a network trained on all training images without their labels."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, final

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.dataset.fingerprint import numbers_sha256
from ae_cls.encode.probe import RidgeProbe
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.pretrain.contract import Probe
from ae_cls.processes.world import World
from ae_cls.run.data import Data
from ae_cls.run.program import Computing
from ae_cls.run.stage import Conditions, Stage, about_network, read_history, write_made
from ae_cls.store.files import publish
from ae_cls.store.key import Json
from ae_cls.store.manifest import sha256_in
from ae_cls.store.weights import WEIGHTS, load_weights, read_weights, weights_bytes, weights_sha256
from ae_cls.train.checkpoint import Checkpoints, NoCheckpoints
from ae_cls.train.record import EpochRecord
from ae_cls.train.task import TrainTask


@final
@dataclass(frozen=True)
class Trained:
    """A pretrained network.

    Attributes:
        model: on the device; later stages leave it as it is.
        weights_sha256: hash of its weights and buffers.
        history: one record an epoch.
    """

    model: Autoencoder
    weights_sha256: str
    history: Sequence[EpochRecord] = ()


@final
@dataclass(frozen=True)
class Pretrain(Stage[Trained]):
    """No label is among its inputs, unless a probe of the features is asked for."""

    name: ClassVar[str] = "pretrain"
    packages: ClassVar[tuple[str, ...]] = ("torch", "numpy", "scikit-learn")

    description: Experiment | Pretraining
    data: Data

    @property
    def is_made_together(self) -> bool:
        return True

    def inputs(self) -> dict[str, Json]:
        split = self.data.split
        return {
            "rows": numbers_sha256(split.pretrain, split.watched),
            "mirrored_is_same": self.data.dataset.mirrored_is_same,
            "autoencoder": self.description.autoencoder.model_dump(mode="json"),
            "initial_weights": weights_sha256(self.data.network),
            "pretrain": self.description.pretrain.model_dump(mode="json"),
            "seed": self.description.seed,
            **self._probed(),
        }

    def _probed(self) -> dict[str, Json]:
        """What a probe reads; its accuracies are kept, also where it only watches."""
        if not self.description.pretrain.reads_labels:
            return {}
        rows, experiment = self.data.split.labelled, self._experiment
        return {
            "labelled": numbers_sha256(rows, self.data.dataset.labels_of(rows)),
            "units": numbers_sha256(self.data.units(rows)),
            "encode": experiment.encode.model_dump(mode="json"),
        }

    @property
    def _experiment(self) -> Experiment:
        """The description, where labels are read."""
        assert isinstance(self.description, Experiment), "a pretraining alone has no labels"
        return self.description

    def program(self) -> Sequence[Computing]:
        computing = (type(self.data.network), type(self.description.pretrain))
        if not self.description.pretrain.reads_labels:
            return computing
        return *computing, RidgeProbe, type(self._experiment.encode)

    def about(self) -> dict[str, Json]:
        return about_network(self.description)

    def make(self, folder: Path, conditions: Conditions) -> None:
        network = copy.deepcopy(self.data.network)
        world = conditions.world
        history = self.description.pretrain.fit(
            network, self._task(conditions.checkpoints, world), self._probe(world)
        )
        write_made(folder, world, history)
        publish(folder / WEIGHTS, weights_bytes(network))
        conditions.checkpoints.hand_over(folder)

    def take_part(self, world: World) -> None:
        task = self._task(NoCheckpoints(), world)
        self.description.pretrain.fit(copy.deepcopy(self.data.network), task, self._probe(world))

    def load(self, folder: Path) -> Trained:
        network = copy.deepcopy(self.data.network)
        load_weights(network, read_weights(folder / WEIGHTS, network))
        return Trained(network, sha256_in(folder, WEIGHTS), read_history(folder))

    def may_continue(self, earlier: Mapping[str, str]) -> bool:
        # A first layer that trains longer gives all others another input.
        return not self.description.pretrain.goes_by_layers

    def _task(self, checkpoints: Checkpoints, world: World) -> TrainTask:
        split = self.data.split
        return TrainTask(
            train=self.data.images(split.pretrain),
            valid=self.data.images(split.watched),
            mirrored_is_same=self.data.dataset.mirrored_is_same,
            seed=self.description.seed,
            compute=replace(self.data.compute, world=world),
            checkpoints=checkpoints,
        )

    def _probe(self, world: World) -> Probe | None:
        """On the labels of the budget and no others."""
        if not self.description.pretrain.reads_labels:
            return None
        rows, compute = self.data.split.labelled, replace(self.data.compute, world=world)
        encode, units = self._experiment.encode, self.data.units(rows)
        return RidgeProbe(encode, self.data.labelled(rows), units, compute).accuracy
