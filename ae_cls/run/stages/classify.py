"""The head fitted on the labelled images, and the encoder where the head trains it."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, final

import numpy as np

from ae_cls.dataset.fingerprint import numbers_sha256
from ae_cls.encode import Encoder
from ae_cls.experiment.descriptions import Experiment
from ae_cls.head.classifier import Classifier
from ae_cls.head.fitted import Labelled, Pool
from ae_cls.head.head_files import refuse_other_sizes
from ae_cls.head.task import Learned, Task
from ae_cls.processes.world import World
from ae_cls.run.data import Data
from ae_cls.run.program import Computing
from ae_cls.run.stage import Conditions, Stage, about_network, read_history, write_made
from ae_cls.run.stages.pretrain import Trained
from ae_cls.store.files import publish
from ae_cls.store.key import Json
from ae_cls.store.received import most_in_memory, read_bytes
from ae_cls.store.weights import WEIGHTS, load_weights, read_weights, weights_bytes, weights_sha256
from ae_cls.train.checkpoint import Checkpoints, NoCheckpoints

HEAD = "head."


@final
@dataclass(frozen=True)
class Classify(Stage[Learned]):
    """Labelled images to a classifier; validation images too, where settings are chosen on them."""

    name: ClassVar[str] = "classify"
    packages: ClassVar[tuple[str, ...]] = ("torch", "scikit-learn", "scipy")

    description: Experiment
    data: Data
    trained: Trained
    features: Callable[[], tuple[Labelled, Labelled | None]]
    pool: Callable[[], Pool]

    @property
    def is_made_together(self) -> bool:
        return self.description.head.trains_encoder

    def inputs(self) -> dict[str, Json]:
        split, labels_of = self.data.split, self.data.dataset.labels_of
        return {
            "labelled": numbers_sha256(split.labelled, labels_of(split.labelled)),
            **self._chosen_on(),
            **self._unlabelled(),
            "classes": len(self.data.dataset.class_names),
            "mirrored_is_same": self.data.dataset.mirrored_is_same,
            "autoencoder": self.description.autoencoder.model_dump(mode="json"),
            "weights": self.trained.weights_sha256,
            "encode": self.description.encode.model_dump(mode="json"),
            "head": self.description.head.model_dump(mode="json"),
            "choose_by": self.description.labels.choose_by,
            "seed": self.description.seed,
        }

    def _chosen_on(self) -> dict[str, Json]:
        """Of labels, nothing but those shown is read where settings are chosen within them."""
        if self.description.labels.chooses_within:
            return {"units": numbers_sha256(self.data.units(self.data.split.labelled))}
        valid = self.data.split.valid
        return {"valid": numbers_sha256(valid, self.data.dataset.labels_of(valid))}

    def _unlabelled(self) -> dict[str, Json]:
        """Nothing where a head does not learn from them."""
        if not self.description.head.learns_from_unlabelled:
            return {}
        return {"pool": numbers_sha256(self.data.split.pool)}

    def program(self) -> Sequence[Computing]:
        description = self.description
        return type(self.trained.model), type(description.encode), type(description.head)

    def about(self) -> dict[str, Json]:
        labels = len(self.data.split.labelled)
        return {
            **about_network(self.description),
            "head": self.description.head.name,
            "labels": labels,
        }

    def make(self, folder: Path, conditions: Conditions) -> None:
        task = self._task(conditions.checkpoints, conditions.world)
        learned = self.description.head.classify(task)
        write_made(folder, conditions.world, learned.history)
        # A head must leave the encoder it was given as it was, buffers of batch norm included.
        assert weights_sha256(self.trained.model) == self.trained.weights_sha256
        for name, content in learned.classifier.head.files().items():
            publish(folder / name, content)
        if self.description.head.trains_encoder:
            publish(folder / WEIGHTS, weights_bytes(learned.classifier.encoder.model))
            conditions.checkpoints.hand_over(folder)

    def take_part(self, world: World) -> None:
        self.description.head.classify(self._task(NoCheckpoints(), world))

    def load(self, folder: Path) -> Learned:
        files = {
            path.name: read_bytes(path, most=most_in_memory()) for path in folder.glob(f"{HEAD}*")
        }
        names, config = self.data.dataset.class_names, self.description.head
        refuse_other_sizes(files, config.name, class_count=len(names), feature_count=None)
        head = config.load(files)
        classifier = Classifier(self._encoder(folder), head, names)
        return Learned(classifier, tuple(read_history(folder)))

    def marks(self) -> dict[str, str]:
        return {WEIGHTS: self.trained.weights_sha256}

    def may_continue(self, earlier: Mapping[str, str]) -> bool:
        # A training continues only from the weights that it began with.
        same_weights = earlier.get(WEIGHTS) == self.trained.weights_sha256
        return self.description.head.trains_encoder and same_weights

    def _task(self, checkpoints: Checkpoints, world: World) -> Task:
        world.copy_from_first(self.trained.model.state_dict().values())
        compute = replace(self.data.compute, world=world)
        split, within = self.data.split, self.description.labels.chooses_within
        return Task(
            encoder=Encoder(self.trained.model, self.description.encode, compute),
            train=self.data.labelled(split.labelled),
            units=self.data.units(split.labelled),
            unlabelled=self.data.images(np.setdiff1d(split.pool, split.labelled)),
            valid=None if within else self.data.labelled(split.valid),
            features=self.features,
            pool=self.pool,
            class_names=self.data.dataset.class_names,
            mirrored_is_same=self.data.dataset.mirrored_is_same,
            choose_by=self.description.labels.choose_by,
            seed=self.description.seed,
            checkpoints=checkpoints,
        )

    def _encoder(self, folder: Path) -> Encoder:
        model = self.trained.model
        if self.description.head.trains_encoder:
            model = copy.deepcopy(model)
            load_weights(model, read_weights(folder / WEIGHTS, model))
        return Encoder(model, self.description.encode, self.data.compute)
