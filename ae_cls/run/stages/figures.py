"""The figures of the pretrained network and of its training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

from ae_cls.dataset.fingerprint import numbers_sha256
from ae_cls.encode import Encoder, LatentConfig
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.report.figures import (
    contact_sheet,
    health_curves,
    latent_map,
    loss_curves,
    reconstructions,
    render,
    samples,
)
from ae_cls.run.data import Data
from ae_cls.run.figures import write_pretraining
from ae_cls.run.program import Computing
from ae_cls.run.stage import Conditions, Stage, about_network
from ae_cls.run.stages.pretrain import Trained
from ae_cls.run.stages.reconstruct import has_learnt_to_rebuild
from ae_cls.store.key import Json
from ae_cls.store.received import read_bytes


@final
@dataclass(frozen=True)
class Figures(Stage[dict[str, bytes]]):
    """Name and content of each picture."""

    name: ClassVar[str] = "figures"
    packages: ClassVar[tuple[str, ...]] = ("torch", "matplotlib", "scikit-learn")

    description: Experiment | Pretraining
    data: Data
    trained: Trained

    def inputs(self) -> dict[str, Json]:
        split, dataset = self.data.split, self.data.dataset
        columns = [
            (rows, dataset.labels_of(rows)) for rows in (split.pretrain, split.watched, split.valid)
        ]
        return {
            "rows": [numbers_sha256(*pair) for pair in columns],
            "class_names": list(dataset.class_names),
            "history": [record.as_dict() for record in self.trained.history],
            "autoencoder": self.description.autoencoder.model_dump(mode="json"),
            "weights": self.trained.weights_sha256,
            "rebuilds": has_learnt_to_rebuild(self.description),
            "seed": self.description.seed,
        }

    def program(self) -> Sequence[Computing]:
        figures = (contact_sheet, health_curves, latent_map, loss_curves, reconstructions, samples)
        drawing = (write_pretraining, *figures, render)
        return type(self.trained.model), Encoder, LatentConfig, *drawing

    def about(self) -> dict[str, Json]:
        return about_network(self.description)

    def make(self, folder: Path, conditions: Conditions) -> None:
        write_pretraining(
            folder,
            self.data,
            self.trained.model,
            self.trained.history,
            rebuilds=has_learnt_to_rebuild(self.description),
            seed=self.description.seed,
        )

    def load(self, folder: Path) -> dict[str, bytes]:
        pictures = sorted(path for path in folder.iterdir() if path.suffix in {".png", ".svg"})
        return {path.name: read_bytes(path) for path in pictures}
