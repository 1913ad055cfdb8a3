"""Training without labels. The index of the room; quick, standard and long are YAML alone."""

from typing import Annotated

from pydantic import Field

from ae_cls.pretrain.contract import PretrainConfig
from ae_cls.pretrain.gradient import GradientPretraining
from ae_cls.pretrain.layerwise import LayerwisePretraining
from ae_cls.pretrain.none import NoPretraining
from ae_cls.train.record import EpochRecord

PretrainChoice = Annotated[
    NoPretraining | GradientPretraining | LayerwisePretraining, Field(discriminator="name")
]

__all__ = ["EpochRecord", "PretrainChoice", "PretrainConfig"]
