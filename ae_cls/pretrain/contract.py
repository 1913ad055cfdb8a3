"""What every pretraining answers."""

from abc import ABC, abstractmethod

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows
from ae_cls.settings import Settings
from ae_cls.train.checkpoint import Checkpoints
from ae_cls.train.record import EpochRecord


class PretrainConfig(Settings, ABC):
    """The contract of every option of the group `pretrain`."""

    @abstractmethod
    def fit(
        self,
        model: Autoencoder,
        train: ImageRows,
        valid: ImageRows,
        *,
        mirrored_is_same: bool,
        seed: int,
        compute: Compute,
        checkpoints: Checkpoints,
    ) -> list[EpochRecord]:
        """Train `model` in place on images without labels; one record an epoch.

        Raises:
            TrainingError: a loss is not finite.
        """
