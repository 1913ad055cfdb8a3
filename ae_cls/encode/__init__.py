"""From images to features. This list is the index of the room."""

from typing import Annotated

from pydantic import Field

from ae_cls.encode.assignments import AssignmentsConfig
from ae_cls.encode.contract import EncodeConfig
from ae_cls.encode.encoder import Encoder
from ae_cls.encode.latent import LatentConfig
from ae_cls.encode.multiscale import MultiscaleConfig
from ae_cls.encode.pooled import PooledConfig

EncodeChoice = Annotated[
    LatentConfig | PooledConfig | MultiscaleConfig | AssignmentsConfig,
    Field(discriminator="name"),
]

__all__ = ["EncodeChoice", "EncodeConfig", "Encoder", "LatentConfig"]
