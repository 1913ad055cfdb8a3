"""The deep convolutional autoencoder, shaped for matrix hardware.

Masci, Meier, Ciresan & Schmidhuber 2011, Stacked convolutional auto-encoders for hierarchical
feature extraction, ICANN.
"""

from typing import Literal, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.parts.cell_heads import HogHead, PixelHead, Target
from ae_cls.autoencoder.parts.convolutional import Convolutional, ConvolutionalConfig
from ae_cls.autoencoder.parts.losses import reconstruction_loss
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws
from ae_cls.train.loss import Loss


@final
class ConvConfig(ConvolutionalConfig):
    """A convolutional encoder with a linear code, and its mirror."""

    name: Literal["conv"]
    # Models that were saved before there was a choice learnt pixels.
    target: Target = Field(
        default="pixels",
        description="what the encoder learns from: pixels; those of each cell normalised to mean 0 "
        "and variance 1; the gradient directions (HOG) of each cell; or both: pixels and hog; the "
        "decoder rebuilds pixels in any case",
    )
    hog_weight: float = Field(
        default=1.0, gt=0, description="weight of the error of HOG; that of the pixels' is 1"
    )

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Conv(image_shape, self)


@final
class Conv(Convolutional):
    """Beside the code a head for what is predicted of each cell."""

    def __init__(self, image_shape: ImageShape, config: ConvConfig) -> None:
        super().__init__(image_shape, config)
        self.config = config
        inputs, cell = self.trunk.outputs, self.trunk.stride
        self.hog_head = self.pixel_head = None
        if config.target in ("hog", "both"):
            self.hog_head = HogHead(inputs, cell=cell)
        if config.target == "normalised":
            self.pixel_head = PixelHead(inputs, cell=cell, channels=image_shape[0], normalised=True)

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        deepest = self.trunk(seen.images)[-1]
        rebuilt = self._rebuilt(deepest, images, seen.weight)
        if self.hog_head is not None:
            hog = self.hog_head.error(deepest, images, seen.weight)
            return _with(rebuilt, "hog", hog, weight=self.config.hog_weight)
        if self.pixel_head is not None:
            return _with(rebuilt, "cells", self.pixel_head.error(deepest, images, seen.weight))
        return rebuilt

    def _rebuilt(
        self,
        deepest: Float[Tensor, "b _ _ _"],
        images: Float[Tensor, "b c h w"],
        weight: Float[Tensor, "#b #c #h #w"],
    ) -> Loss:
        # Where cells alone are the target, code and decoder learn from the maps, but the maps not
        # from them.
        teaches = self.config.target in ("pixels", "both")
        map_of_code = deepest if teaches else deepest.detach()
        output = self.decode(self.to_latent(map_of_code.flatten(1)))
        return reconstruction_loss(output, images, weight)


def _with(rebuilt: Loss, name: str, error: Float[Tensor, ""], *, weight: float = 1.0) -> Loss:
    return Loss(rebuilt.total + weight * error, {**rebuilt.terms, name: error.detach()})
