"""How well the pretrained network rebuilds the images of a part."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

from ae_cls.dataset.fingerprint import numbers_sha256
from ae_cls.dataset.split import Part
from ae_cls.evaluate.reconstruction import SquaredError
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.run.data import Data
from ae_cls.run.program import Computing
from ae_cls.run.scores import reconstruction_of
from ae_cls.run.stage import Conditions, Stage, about_network
from ae_cls.run.stages.pretrain import Trained
from ae_cls.store.files import write_json
from ae_cls.store.key import Json

ERROR = "reconstruction.json"


@final
@dataclass(frozen=True)
class Reconstruct(Stage[dict[str, Any]]):
    """Mean squared error of clean images rebuilt from their codes, and the part it was taken on."""

    name: ClassVar[str] = "reconstruct"
    packages: ClassVar[tuple[str, ...]] = ("torch", "numpy")

    description: Experiment | Pretraining
    data: Data
    trained: Trained
    part: Part

    def inputs(self) -> dict[str, Json]:
        return {
            "rows": numbers_sha256(self.data.rows_of(self.part)),
            "autoencoder": self.description.autoencoder.model_dump(mode="json"),
            "weights": self.trained.weights_sha256,
        }

    def program(self) -> Sequence[Computing]:
        return type(self.trained.model), SquaredError, reconstruction_of

    def about(self) -> dict[str, Json]:
        return {**about_network(self.description), "part": self.part}

    def make(self, folder: Path, conditions: Conditions) -> None:
        images = self.data.images(self.data.rows_of(self.part))
        error = reconstruction_of(self.trained.model, images, self.data.compute)
        write_json(folder / ERROR, {**error, "part": self.part})

    def load(self, folder: Path) -> dict[str, Any]:
        return json.loads((folder / ERROR).read_bytes())
