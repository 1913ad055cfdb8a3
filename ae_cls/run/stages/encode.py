"""Features of one part of the data; all training rows at once, so that label budgets share them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float32, Int64

from ae_cls.dataset.fingerprint import numbers_sha256
from ae_cls.dataset.split import Encoded
from ae_cls.encode import Encoder
from ae_cls.encode.feature_table import read_table, write_table
from ae_cls.experiment.descriptions import Experiment
from ae_cls.head.fitted import Features
from ae_cls.processes.world import World
from ae_cls.run.data import Data
from ae_cls.run.program import Computing
from ae_cls.run.stage import Conditions, Stage, about_network, write_made
from ae_cls.run.stages.pretrain import Trained
from ae_cls.store.key import Json
from ae_cls.store.manifest import check_files
from ae_cls.store.received import not_ours
from ae_cls.store.row_hashes import check_rows, hashed
from ae_cls.store.weights import WEIGHTS

TABLE = "features.npy"


@final
@dataclass(frozen=True)
class Encode(Stage[Features]):
    """Features of the images of a part, or of those at some positions in it."""

    name: ClassVar[str] = "encode"
    packages: ClassVar[tuple[str, ...]] = ("torch",)
    most_bytes: ClassVar[int | None] = 20 * 10**9  # features are soon made again

    description: Experiment
    data: Data
    trained: Trained
    part: Encoded
    positions: Int64[np.ndarray, " r"] | None = None

    @property
    def title(self) -> str:
        return f"{self.name} {self.part}"

    @property
    def is_made_together(self) -> bool:
        return True

    def inputs(self) -> dict[str, Json]:
        return {
            "rows": numbers_sha256(self.data.rows_of(self.part)),
            "autoencoder": self.description.autoencoder.model_dump(mode="json"),
            "weights": self.trained.weights_sha256,
            "encode": self.description.encode.model_dump(mode="json"),
        }

    def program(self) -> Sequence[Computing]:
        return Encoder, type(self.trained.model), type(self.description.encode)

    def about(self) -> dict[str, Json]:
        return {**about_network(self.description), "part": self.part}

    def make(self, folder: Path, conditions: Conditions) -> None:
        table, count = folder / TABLE, len(self.data.rows_of(self.part))
        write_table(table, count, hashed(table, count, self._batches(conditions.world)))
        write_made(folder, conditions.world)

    def take_part(self, world: World) -> None:
        assert not list(self._batches(world)), "the first process gets all features"

    def load(self, folder: Path) -> Features:
        table = read_table(folder / TABLE)
        count = len(self.data.rows_of(self.part))
        if table.dtype != np.float32 or table.ndim != 2 or len(table) != count:
            raise not_ours(str(folder / TABLE), f"it holds {table.dtype} of {table.shape}")
        return table if self.positions is None else table[self.positions]

    def check(self, folder: Path) -> object:
        if self.positions is None:
            return check_files(folder)
        check_files(folder, but=(TABLE,))
        return check_rows(folder / TABLE, self.positions)

    def marks(self) -> dict[str, str]:
        return {WEIGHTS: self.trained.weights_sha256}

    def _batches(self, world: World) -> Iterator[Float32[np.ndarray, "_ d"]]:
        world.copy_from_first(self.trained.model.state_dict().values())
        compute = replace(self.data.compute, world=world)
        encoder = Encoder(self.trained.model, self.description.encode, compute)
        return encoder.parts(self.data.images(self.data.rows_of(self.part)))
