"""The deepest map, averaged to a small grid."""

from typing import Literal, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.encode.contract import EncodeConfig
from ae_cls.encode.pooling import pool


@final
class PooledConfig(EncodeConfig):
    """Channels x grid x grid numbers of the deepest map."""

    name: Literal["pooled"]
    grid: int = Field(ge=1, le=32, description="cells on each side, at most as many as the map has")

    def features(
        self, model: Autoencoder, images: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b d"]:
        return pool(model.deepest_map(images), self.grid)
