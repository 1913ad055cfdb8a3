"""Every stage at once: what shallow maps see is not lost in the deep ones."""

from typing import Literal, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.encode.contract import EncodeConfig
from ae_cls.encode.pooling import pool

_ROUNDING = 0.01  # activations below it are hardly spread


@final
class MultiscaleConfig(EncodeConfig):
    """Each stage pooled to a grid, its global mean and maximum, then the signed square root."""

    name: Literal["multiscale"]
    grid: int = Field(ge=1, le=32, description="cells on each side, at most as many as the map has")

    def features(
        self, model: Autoencoder, images: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b d"]:
        parts = [self._of_stage(maps) for maps in model.feature_maps(images)]
        return signed_square_root(torch.cat(parts, dim=1))

    def _of_stage(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _"]:
        if maps.shape[2:].numel() == 1:  # a flat code has nothing to pool
            return maps.flatten(1).float()
        exact = maps.float()  # a mean in bf16 has three digits; a maximum loses nothing
        parts = [pool(exact, self.grid), exact.mean((2, 3)), maps.amax((2, 3)).float()]
        return torch.cat(parts, dim=1)


def signed_square_root(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """About sign(v) sqrt(|v|): tames a few large activations (Perronnin 2010, 3.2).

    Smooth at 0, with slope 5: many activations lie there, and the root's own slope is infinite, so
    fine-tuning would follow those alone once the gradient is clipped.
    """
    root = values.abs().add_(_ROUNDING).sqrt_() - _ROUNDING**0.5
    return root.mul_(values.detach().sign())  # in place: half as many reads from memory
