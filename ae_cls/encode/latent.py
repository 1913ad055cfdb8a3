"""The code itself."""

from typing import Literal, final

from jaxtyping import Float
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.encode.contract import EncodeConfig


@final
class LatentConfig(EncodeConfig):
    """The numbers of the code; a VAE gives its mean."""

    name: Literal["latent"]

    def features(
        self, model: Autoencoder, images: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b d"]:
        return model.encode(images).float()
