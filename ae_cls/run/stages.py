"""The stages of an experiment: each taken from the store, or made and kept there."""

import copy
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, final

import torch

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.dataset.split import Part
from ae_cls.encode import Encoder
from ae_cls.encode.feature_table import read_table, write_table
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.head.classifier import Classifier
from ae_cls.head.fitted import Features
from ae_cls.processes.crew import Crew
from ae_cls.processes.world import ALONE
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.run.data import Prepared
from ae_cls.run.figures import write_pretraining
from ae_cls.run.keys import classify_key, draw_key, encode_key, pretrain_key, rebuild_key
from ae_cls.run.scores import reconstruction
from ae_cls.run.shared_work import SharedWork
from ae_cls.run.stage_names import write_stage_names
from ae_cls.run.stage_outputs import Classified, PartFeatures, Places
from ae_cls.run.stopwatch import Stopwatch
from ae_cls.store.cleaning import kept_in, over_limit, remove
from ae_cls.store.entries import Check, Entry, Make, Store
from ae_cls.store.files import publish, write_json
from ae_cls.store.key import Key
from ae_cls.store.manifest import check_files
from ae_cls.store.row_hashes import check_rows, hashed
from ae_cls.store.weights import load_weights, weights_bytes, weights_sha256
from ae_cls.train.record import EpochRecord

WEIGHTS, TABLE, MADE, HEAD = "model.safetensors", "features.npy", "made.json", "head."
ERROR = "reconstruction.json"
CONTINUED = "continued_from"
FEATURES_KEPT = 20 * 10**9
"""Bytes of features, beyond which the longest unused ones go: they are soon made again."""


@final
@dataclass(frozen=True)
class Stages:
    """What the stages of one run share.

    Attributes:
        store: where their outputs are kept.
        crew: the processes that train and encode together.
        prepared: data, split, network.
        stopwatch: where the seconds of each stage go.
        folder: of the run, where it is written down under which names its stages are kept.
        checkpoint_seconds: between two checkpoints of a training.
        continued: stage: name of the entry whose training goes on here, where that is another one.
        entries: what was taken or made so far, in order.
        names: of these, and the hash of the weights that the later ones read.
    """

    store: Store
    crew: Crew
    prepared: Prepared
    stopwatch: Stopwatch
    folder: Path
    checkpoint_seconds: float
    continued: Mapping[str, str]
    entries: list[Entry] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    @cached_property
    def weights(self) -> str:
        """Hash of the pretrained network; asked for after `pretrain`, which changes it last."""
        return weights_sha256(self.prepared.model)

    def kept(self) -> tuple[str, ...]:
        """The stages of which nothing had to be made."""
        names = dict.fromkeys(entry.key.stage for entry in self.entries)
        made = {entry.key.stage for entry in self.entries if not entry.was_there}
        return tuple(name for name in names if name not in made)

    def pretrain(self, pretraining: Experiment | Pretraining) -> list[EpochRecord]:
        """Leave the prepared network trained on all training images without their labels."""
        key = self._going_on(pretrain_key(pretraining, self.prepared))
        with self.stopwatch.stage("pretrain"):
            entry = self._take_or_make(key, lambda into: self._pretrain(into, key, pretraining))
            load_weights(self.prepared.model, (entry.folder / WEIGHTS).read_bytes())
        return read_history(entry.folder)

    def features(self, experiment: Experiment) -> PartFeatures:
        """Features by the prepared network, of each part when it is asked for."""
        self.names[WEIGHTS] = self.weights
        return PartFeatures(self.prepared, self.weights, partial(self._features_of, experiment))

    def classify(self, experiment: Experiment, features: PartFeatures) -> Classified:
        """The head fitted on the labelled images, and the encoder where the head trains it."""
        key = classify_key(experiment, self.prepared, features.weights)
        # A training goes on only from the weights that it began with.
        if experiment.head.trains_encoder and self.continued.get(WEIGHTS) == features.weights:
            key = self._going_on(key)
        with self.stopwatch.stage("classify"):
            entry = self._take_or_make(
                key, lambda into: self._classify(into, key, experiment, features)
            )
            encoder = self._encoder(experiment, entry)
            files = {path.name: path.read_bytes() for path in entry.folder.glob(f"{HEAD}*")}
            head = experiment.head.load(files)
        names = self.prepared.dataset.class_names
        frozen = None if experiment.head.trains_encoder else features
        return Classified(
            Classifier(encoder, head, names), read_history(entry.folder), self.prepared, frozen
        )

    def reconstruction(self, description: Experiment | Pretraining, part: Part) -> dict[str, Any]:
        """How well the pretrained network rebuilds the images of a part; empty if it cannot."""
        if not description.autoencoder.decodes:
            return {}
        key = rebuild_key(description, self.prepared, self.weights, part)
        entry = self._take_or_make(
            key, lambda into: write_json(into / ERROR, reconstruction(self.prepared, part))
        )
        return {"reconstruction": json.loads((entry.folder / ERROR).read_bytes())}

    def draw(
        self,
        description: Experiment | Pretraining,
        history: Sequence[EpochRecord],
        folder: Path,
    ) -> None:
        """Put the figures of the pretrained network and of its training into a folder."""
        key = draw_key(description, self.prepared, self.weights, history)
        entry = self._take_or_make(
            key, lambda into: write_pretraining(into, description, self.prepared, history)
        )
        folder.mkdir(exist_ok=True)
        for picture in sorted(entry.folder.glob("*.[ps][nv]g")):
            publish(folder / picture.name, picture.read_bytes())

    def continuation(self) -> dict[str, Any]:
        """What the protocol says of trainings that began otherwise; nothing where none did."""
        found = {
            entry.key.stage: entry.key.told[CONTINUED]
            for entry in self.entries
            if CONTINUED in entry.key.told
        }
        return {CONTINUED: found} if found else {}

    def _going_on(self, key: Key) -> Key:
        before = self.continued.get(key.stage, key.name)
        return key if before == key.name else key.with_told({CONTINUED: before})

    def _take_or_make(self, key: Key, make: Make, check: Check = check_files) -> Entry:
        self.names[key.stage] = key.name
        write_stage_names(self.folder, self.names)
        self.entries.append(self.store.take_or_make(key, make, check))
        return self.entries[-1]

    def _pretrain(self, folder: Path, key: Key, pretraining: Experiment | Pretraining) -> None:
        checkpoints = self._checkpoints(key)
        with self.crew.called(("pretrain", None)):
            history = self._work().pretrain(pretraining, checkpoints)
            self._tell(folder, history)
        publish(folder / WEIGHTS, weights_bytes(self.prepared.model))
        checkpoints.hand_over(folder)

    def _features_of(self, experiment: Experiment, part: Part, places: Places | None) -> Features:
        key = encode_key(experiment, self.prepared, self.weights, part)
        check = check_files if places is None else partial(_check_some, places)
        with self.stopwatch.stage("encode"):
            entry = self._take_or_make(
                key, lambda into: self._encode(into, experiment, part), check
            )
            table = read_table(entry.folder / TABLE)
            table = table if places is None else table[places]
        if not entry.was_there:
            features = [each for each in kept_in(self.store.root) if each.stage == key.stage]
            remove(self.store.root, over_limit(features, FEATURES_KEPT))
        return table

    def _encode(self, folder: Path, experiment: Experiment, part: Part) -> None:
        count = len(getattr(self.prepared.split, part))
        with self.crew.called(("encode", part)):
            parts = self._work().encode(experiment, part)
            write_table(folder / TABLE, count, hashed(folder / TABLE, count, parts))
            self._tell(folder, [])

    def _classify(
        self, folder: Path, key: Key, experiment: Experiment, features: PartFeatures
    ) -> None:
        checkpoints, together = self._checkpoints(key), experiment.head.trains_encoder
        with self.crew.called(("classify", None)) if together else nullcontext():
            work = self._work() if together else SharedWork(self.prepared, ALONE)
            learned = work.classify(experiment, features.to_learn_from, checkpoints)
            self._tell(folder, learned.history)
        # A head must leave the encoder it was given as it was, buffers of batch norm included.
        assert weights_sha256(self.prepared.model) == features.weights
        for name, content in learned.classifier.head.files().items():
            publish(folder / name, content)
        if experiment.head.trains_encoder:
            publish(folder / WEIGHTS, weights_bytes(learned.classifier.encoder.model))
            checkpoints.hand_over(folder)

    def _work(self) -> SharedWork:
        return SharedWork(self.prepared, self.crew.world)

    def _encoder(self, experiment: Experiment, entry: Entry) -> Encoder:
        model: Autoencoder = self.prepared.model
        if experiment.head.trains_encoder:
            model = copy.deepcopy(model)
            load_weights(model, (entry.folder / WEIGHTS).read_bytes())
        return Encoder(model, experiment.encode, self.prepared.compute)

    def _checkpoints(self, key: Key) -> CheckpointFolder:
        before = key.told.get(CONTINUED)
        places = self.store.places_of(key.stage, str(before)) if before else ()
        folder = self.store.unfinished(key)
        return CheckpointFolder(folder, every=self.checkpoint_seconds, elsewhere=places)

    def _tell(self, folder: Path, history: Sequence[EpochRecord]) -> None:
        """With what the entry was made: what may differ between two that are equal."""
        told = {
            "threads": torch.get_num_threads(),
            "processes": self.crew.world.size,
            "history": [asdict(each) for each in history],
        }
        write_json(folder / MADE, told)


def _check_some(places: Places, folder: Path) -> None:
    check_files(folder, but=(TABLE,))
    check_rows(folder / TABLE, places)


def read_history(entry: Path) -> list[EpochRecord]:
    """One record an epoch of the training whose output is kept in that folder."""
    told = json.loads((entry / MADE).read_bytes())
    return [EpochRecord(**record) for record in told["history"]]
