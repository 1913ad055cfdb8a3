"""No pretraining: the control with random weights."""

from typing import Literal, final

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows
from ae_cls.pretrain.contract import PretrainConfig
from ae_cls.train.checkpoint import Checkpoints
from ae_cls.train.record import EpochRecord


@final
class NoPretraining(PretrainConfig):
    """The network as it was initialised."""

    name: Literal["none"]

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
        return []
