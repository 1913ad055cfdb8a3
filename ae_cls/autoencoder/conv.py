"""The deep convolutional autoencoder, shaped for matrix hardware.

Masci, Meier, Ciresan & Schmidhuber 2011, Stacked convolutional auto-encoders for hierarchical
feature extraction, ICANN.
"""

from typing import Literal, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.parts.convolutional import Convolutional, ConvolutionalConfig
from ae_cls.autoencoder.parts.hog_head import HogHead
from ae_cls.autoencoder.parts.losses import reconstruction_loss
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws
from ae_cls.train.loss import Loss


@final
class ConvConfig(ConvolutionalConfig):
    """A convolutional encoder with a linear code, and its mirror."""

    name: Literal["conv"]
    # Models that were saved before there was a choice learnt pixels.
    target: Literal["pixels", "hog", "both"] = Field(
        default="pixels",
        description="what the encoder learns from: pixels, the gradient directions (HOG) of each "
        "cell, or both; the decoder rebuilds pixels in any case",
    )
    hog_weight: float = Field(
        default=1.0, gt=0, description="weight of the error of HOG; that of the pixels' is 1"
    )

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Conv(image_shape, self)


@final
class Conv(Convolutional):
    """Beside the code a head for HOG."""

    def __init__(self, image_shape: ImageShape, config: ConvConfig) -> None:
        super().__init__(image_shape, config)
        self.config = config
        self.hog_head = None if config.target == "pixels" else HogHead(self.trunk)

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        deepest = self.trunk(seen.images)[-1]
        # With HOG alone the code and the decoder learn from the maps, but the maps not from them.
        map_of_code = deepest.detach() if self.config.target == "hog" else deepest
        output = self.decode(self.to_latent(map_of_code.flatten(1)))
        rebuilt = reconstruction_loss(output, images, seen.weight)
        if self.hog_head is None:
            return rebuilt
        hog = self.hog_head.error(deepest, images, seen.weight)
        return Loss(
            rebuilt.total + self.config.hog_weight * hog, {**rebuilt.terms, "hog": hog.detach()}
        )
