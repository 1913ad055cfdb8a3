"""What every pretraining answers."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.settings import Settings
from ae_cls.train.record import EpochRecord
from ae_cls.train.schedule import Schedule
from ae_cls.train.task import TrainTask

Probe = Callable[[Autoencoder], float]
"""The accuracy that labels of the budget give to the features of a network."""


class PretrainConfig(Settings, ABC):
    """The contract of every option of the group `pretrain`."""

    trains: ClassVar[bool] = True
    """Whether weights are other than random afterwards."""
    goes_by_layers: ClassVar[bool] = False
    """Whether it trains the layers of a stack one after another."""

    @property
    def reads_labels(self) -> bool:
        """Whether labels of the budget are read, if only to watch."""
        return False

    @property
    def chooses_by_labels(self) -> bool:
        """Whether they decide which weights stay."""
        return False

    @abstractmethod
    def fit(
        self, model: Autoencoder, task: TrainTask, probe: Probe | None = None
    ) -> list[EpochRecord]:
        """Train `model` in place on images without labels; one record an epoch.

        Args:
            model: to train.
            task: images and conditions.
            probe: where it `reads_labels`.

        Raises:
            TrainingError: a loss is not finite.
        """


class PretrainSchedule(Schedule, PretrainConfig, ABC):
    """Pretraining that follows a gradient.

    Batches of an eighth of a small set take six tenths of the time of a quarter, and no difference
    was shown: 300 photographs of 64 pixels, 10 seeds, 3 and 10 labels a class, test accuracy -3.5
    (-9.1 to 2.1) and 1.2 points (-4.0 to 6.4); digits, 5 seeds, 5 and 30 labels, 0.1 and 0.0.
    """

    batches_of_small_set: ClassVar[int] = 8
