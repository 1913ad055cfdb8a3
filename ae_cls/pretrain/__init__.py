"""Training without labels. The index of the room; quick, standard and long are YAML alone."""

from typing import Annotated

from pydantic import Field

from ae_cls.pretrain.gradient import GradientPretraining
from ae_cls.pretrain.layerwise import LayerwisePretraining
from ae_cls.pretrain.none import NoPretraining

PretrainChoice = Annotated[
    NoPretraining | GradientPretraining | LayerwisePretraining, Field(discriminator="name")
]
