"""A training as it stands after a step, and where such are kept."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor


@final
@dataclass(frozen=True)
class Checkpoint:
    """All that a training needs to go on as if it had never stopped.

    Attributes:
        step: steps done.
        tensors: weights, moments of the optimiser, weights of the best epoch.
        facts: history, sums of the epoch so far: what JSON can hold.
    """

    step: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


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
