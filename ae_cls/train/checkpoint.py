"""A training as it stands after a step, and where such are kept."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor

from ae_cls.settings import Settings
from ae_cls.train.record import WrittenRecord


@final
class Facts(Settings):
    """What a checkpoint says beside its tensors, as its file holds it.

    Attributes:
        history: the stretches that were validated.
        terms: of the loss, in their order: a file of tensors has its own.
        count: images in the stretch that goes on.
        seconds: that this stretch has taken so far.
        best: lowest validation score so far; None before the first that is finite.
        threads: on which the steps since the checkpoint before were taken; None: an earlier
            version, which did not say so.
        part: number of this training among those that follow on each other in one network.
        before: the stretches of those before it.
    """

    history: list[WrittenRecord]
    terms: list[str]
    count: NonNegativeInt
    seconds: NonNegativeFloat
    best: float | None
    threads: PositiveInt | None = None
    part: NonNegativeInt = 0
    before: list[WrittenRecord] = Field(default_factory=list)

    @model_validator(mode="after")
    def _the_stretch_has_begun_or_not(self) -> "Facts":
        if len({self.count > 0, self.seconds > 0, bool(self.terms)}) > 1:
            raise ValueError("count, seconds and terms must be of the same stretch")
        return self


@final
@dataclass(frozen=True)
class Checkpoint:
    """All that a training needs to go on as if it had never stopped.

    Attributes:
        step: steps done.
        tensors: weights, moments of the optimiser, weights of the best epoch.
        facts: history and the epoch so far.
        where: its file, for messages; empty where it has none.
    """

    step: int
    tensors: Mapping[str, Tensor]
    facts: Facts
    where: str = ""


class Checkpoints(ABC):
    """Where one training keeps its checkpoints."""

    @abstractmethod
    def newest(self) -> Checkpoint | None:
        """The last one that is whole."""

    @abstractmethod
    def is_due(self, *, epoch_ended: bool) -> bool:
        """Whether so much would be lost by now that it is time for one."""

    @abstractmethod
    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep one more.

        Raises:
            StorageError: it cannot be written.
        """


@final
class NoCheckpoints(Checkpoints):
    """For trainings that are too short to be lost."""

    def newest(self) -> Checkpoint | None:
        return None

    def is_due(self, *, epoch_ended: bool) -> bool:
        return False

    def keep(self, checkpoint: Checkpoint) -> None:
        return
