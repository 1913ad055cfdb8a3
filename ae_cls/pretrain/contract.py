"""What every pretraining answers."""

from abc import ABC, abstractmethod
from typing import ClassVar

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.settings import Settings
from ae_cls.train.record import EpochRecord
from ae_cls.train.task import TrainTask


class PretrainConfig(Settings, ABC):
    """The contract of every option of the group `pretrain`."""

    trains: ClassVar[bool] = True
    """Whether weights are other than random afterwards."""
    goes_by_layers: ClassVar[bool] = False
    """Whether it trains the layers of a stack one after another."""

    @abstractmethod
    def fit(self, model: Autoencoder, task: TrainTask) -> list[EpochRecord]:
        """Train `model` in place on images without labels; one record an epoch.

        Raises:
            TrainingError: a loss is not finite.
        """
