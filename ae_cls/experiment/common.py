"""What every composed command needs to know."""

import hashlib
import json
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from pydantic import Field

from ae_cls.settings import PathText, Precision, Settings, Threads

WHERE = ("folder", "outputs")
HOW = ("threads", "store", "checkpoint_seconds", "devices", "figures")
"""Keys of a description that say where and how it is carried out, not what it is."""


_DIGITS = 12  # hexadecimal, of a description's hash


class CommonKeys(Settings, ABC):
    """The keys that all of them share."""

    below: ClassVar[str] = "run"
    """Folder under `outputs` for what the command leaves behind."""

    seed: int = Field(ge=0, lt=2**32, description="every random draw follows from it")
    device: str = Field(
        pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto uses a GPU where there is one"
    )
    precision: Precision = Field(
        description="of matrix products; auto uses bf16 where the hardware supports it"
    )
    threads: Threads = Field(
        description="CPU threads; auto: all cores, or a worker's share of them, but fewer while "
        "other programs make those faster"
    )
    outputs: PathText = Field(min_length=1, description="folder under which run folders are made")
    folder: PathText | None = Field(
        min_length=1, description="the run folder itself; null: a new one under outputs"
    )

    @property
    def fixed_threads(self) -> int | None:
        """Their number where one was asked for."""
        return None if self.threads == "auto" else self.threads

    @abstractmethod
    def words(self) -> tuple[str, ...]:
        """What tells this run from others in a folder's name."""


class StagedKeys(CommonKeys, ABC):
    """The keys of what is done in stages, whose outputs are kept."""

    store: Literal["shared", "own"] = Field(
        description="where outputs of stages are kept: for all runs, or for this run alone"
    )
    devices: int = Field(
        ge=1,
        le=1024,
        description="processes that train one model, each with a card or a share of the cores",
    )
    checkpoint_seconds: float = Field(
        gt=0, description="between two checkpoints of a training; one more ends each epoch"
    )
    figures: bool = Field(description="draw figures; a study of hundreds of runs draws none")


def digest_of(described: CommonKeys, data_sha256: str) -> str:
    """A hash of all that a job does and of its data, but not of where and how it is carried out."""
    matter = described.model_dump(mode="json", exclude={*WHERE, *HOW})
    text = json.dumps([matter, data_sha256], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
