"""No pretraining: the control with random weights."""

from typing import ClassVar, Literal, final

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.pretrain.contract import PretrainConfig
from ae_cls.train.record import EpochRecord
from ae_cls.train.task import TrainTask


@final
class NoPretraining(PretrainConfig):
    """The network as it was initialised."""

    trains: ClassVar[bool] = False
    name: Literal["none"]

    def fit(self, model: Autoencoder, task: TrainTask) -> list[EpochRecord]:
        return []
