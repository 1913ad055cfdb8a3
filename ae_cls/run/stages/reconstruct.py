"""How well the pretrained network rebuilds validation images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

from ae_cls.dataset.fingerprint import numbers_sha256
from ae_cls.evaluate.reconstruction import SquaredError
from ae_cls.evaluate.yardsticks import Yardsticks
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.run.data import Data
from ae_cls.run.program import Computing
from ae_cls.run.rebuilding import reconstruction_of
from ae_cls.run.stage import Conditions, Stage, about_network
from ae_cls.run.stages.pretrain import Trained
from ae_cls.store.files import write_json
from ae_cls.store.key import Json
from ae_cls.store.received import read_json

ERROR = "reconstruction.json"


def has_learnt_to_rebuild(description: Experiment | Pretraining) -> bool:
    """Whether rebuilt images say anything: not of random weights, nor without a decoder."""
    autoencoder = description.autoencoder
    return autoencoder.decodes and (description.pretrain.trains or not autoencoder.has_gradients)


@final
@dataclass(frozen=True)
class Reconstruct(Stage[dict[str, Any]]):
    """The errors of intact and corrupted images, rebuilt, and of simple answers."""

    name: ClassVar[str] = "reconstruct"
    packages: ClassVar[tuple[str, ...]] = ("torch", "numpy", "scikit-learn")

    description: Experiment | Pretraining
    data: Data
    trained: Trained

    def inputs(self) -> dict[str, Json]:
        return {
            "rows": numbers_sha256(self.data.split.pretrain, self.data.split.watched),
            "autoencoder": self.description.autoencoder.model_dump(mode="json"),
            "weights": self.trained.weights_sha256,
            "seed": self.description.seed,
        }

    def program(self) -> Sequence[Computing]:
        return type(self.trained.model), SquaredError, Yardsticks, reconstruction_of

    def about(self) -> dict[str, Json]:
        return about_network(self.description)

    def make(self, folder: Path, conditions: Conditions) -> None:
        split = self.data.split
        train, valid = self.data.images(split.pretrain), self.data.images(split.watched)
        seed, compute = self.description.seed, self.data.compute
        errors = reconstruction_of(self.trained.model, train, valid, seed, compute)
        write_json(folder / ERROR, {"part": "valid", **errors})

    def load(self, folder: Path) -> dict[str, Any]:
        return read_json(folder / ERROR)
