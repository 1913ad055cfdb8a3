"""What a stage is: a step of a run, as a value, whose output the store keeps."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar, final

import torch

from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.machine.versions import version
from ae_cls.processes.world import World
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.run.data import Data
from ae_cls.run.program import Computing, program_sha256
from ae_cls.settings import Settings
from ae_cls.store.files import write_json
from ae_cls.store.key import Json, Key
from ae_cls.store.manifest import check_files
from ae_cls.store.received import MOST_PER_CLASS, read_typed
from ae_cls.train.record import EpochRecord, WrittenRecord

FORMAT = 4
"""Of the files of an entry: raise it when they change."""

MADE = "made.json"

Output = TypeVar("Output")


@final
class _Made(Settings):
    """made.json."""

    threads: int
    processes: int
    history: list[WrittenRecord]


@final
@dataclass(frozen=True)
class Conditions:
    """Under which a stage is made; they do not affect its key.

    Attributes:
        checkpoints: of a training.
        world: the processes that make it together.
    """

    checkpoints: CheckpointFolder
    world: World


class Stage(ABC, Generic[Output]):
    """A name, its inputs, how its output is made and how it is loaded.

    Not among the inputs, and why: `threads`, `devices` and the number of decoding workers change
    the last bit at most and are recorded with the entry; `outputs`, `folder`, `store`,
    `checkpoint_seconds` and `figures` say where things are kept, how often, and what is drawn;
    names of data sets, folders and classes stand for contents that are hashed.
    """

    name: ClassVar[str]
    """Of its folder in the store, and in logs, timings and messages."""
    packages: ClassVar[tuple[str, ...]]
    """Whose versions may change its output."""
    most_bytes: ClassVar[int | None] = None
    """Of all its entries, beyond which the longest unused ones go; None: unlimited."""

    data: Data

    @property
    def title(self) -> str:
        """The name, with the part of the data where it has one."""
        return self.name

    @property
    def is_made_together(self) -> bool:
        """Whether all processes of the run take part in making it."""
        return False

    @abstractmethod
    def inputs(self) -> dict[str, Json]:
        """What its output follows from, beside images, precision, device and program."""

    @abstractmethod
    def program(self) -> Sequence[Computing]:
        """What computes it; all modules that these classes and functions import count."""

    @abstractmethod
    def about(self) -> dict[str, Json]:
        """What it is, for people."""

    @abstractmethod
    def make(self, folder: Path, conditions: Conditions) -> None:
        """Write the output into a folder.

        Raises:
            TrainingError: a loss is not finite.
        """

    def take_part(self, world: World) -> None:
        """The share of a process that is not the first; it writes nothing."""
        raise AssertionError(f"{self.name} is made by the first process alone")

    @abstractmethod
    def load(self, folder: Path) -> Output:
        """The output that a folder holds."""

    def check(self, folder: Path) -> object:
        """Compare what will be loaded with what was written.

        Raises:
            ModelFileError: they differ.
        """
        return check_files(folder)

    def marks(self) -> dict[str, str]:
        """What stages.json says beside the entry's name, for a run that continues this one."""
        return {}

    def may_continue(self, earlier: Mapping[str, str]) -> bool:
        """Whether its training may continue that of a run with this stages.json."""
        return False

    @final
    def key(self) -> Key:
        """All that its output follows from."""
        common: dict[str, Json] = {
            "format": FORMAT,
            "program": program_sha256(type(self), *self.program()),
            "versions": {name: version(name) for name in self.packages},
            "images": self.data.dataset.images_sha256,
            "precision": self.data.compute.precision,
            "device": self.data.compute.device.type,
        }
        return Key(self.name, {**common, **self.inputs()}, self.about())


def about_network(description: Experiment | Pretraining) -> dict[str, Json]:
    """Which data and which network a stage is of, for people."""
    return {"dataset": description.dataset.name, "autoencoder": description.autoencoder.name}


def write_made(folder: Path, world: World, history: Sequence[EpochRecord] = ()) -> None:
    """Record what may differ between two equal outputs, and the epochs of a training."""
    made = {
        "threads": torch.get_num_threads(),
        "processes": world.size,
        "history": [asdict(record) for record in history],
    }
    write_json(folder / MADE, made)


def read_history(folder: Path) -> list[EpochRecord]:
    """One record an epoch of the training whose output is kept in that folder."""
    made = read_typed(folder / MADE, _Made, most=MOST_PER_CLASS)
    return [written.record() for written in made.history]
