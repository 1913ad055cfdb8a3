"""The deep convolutional autoencoder, shaped for matrix hardware.

Masci, Meier, Ciresan & Schmidhuber 2011, Stacked convolutional auto-encoders for hierarchical
feature extraction, ICANN. Beside its maps, if asked, the nearness to typical patches of Coates, Lee
& Ng 2011 (`kmeans`).
"""

from functools import partial
from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig, Layer
from ae_cls.autoencoder.kmeans import Kmeans, KmeansConfig
from ae_cls.autoencoder.parts.blocks import enlarging
from ae_cls.autoencoder.parts.cell_heads import HogHead, PixelHead, Target
from ae_cls.autoencoder.parts.convolutional import Convolutional, ConvolutionalConfig
from ae_cls.autoencoder.parts.corruption import Corrupted, NoCorruption
from ae_cls.autoencoder.parts.losses import reconstruction_loss
from ae_cls.autoencoder.parts.principal import bent, silence
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows
from ae_cls.draws import Draws
from ae_cls.train.loss import Loss

# Of the network's share in the code. Adam's steps are alike for all numbers, but the last axes
# hardly vary: their coordinates would drown.
_ADDED = 0.1
_PATCHES_A_CENTRE = 250  # 100,000 for 400, as the control has
_GRID = 3  # cells a side, over which nearness is averaged, as the control has


@final
class ConvConfig(ConvolutionalConfig):
    """A convolutional encoder with a linear code, and its mirror."""

    is_stack: ClassVar[bool] = True
    name: Literal["conv"]
    # Models that were saved before there was a choice learnt pixels.
    target: Target = Field(
        default="pixels",
        description="what the encoder learns from: pixels; those of each cell normalised to mean 0 "
        "and variance 1; the gradient directions (HOG) of each cell; or both: pixels and hog; the "
        "decoder rebuilds pixels in any case",
    )
    # Those had no such path.
    principal_path: bool = Field(
        default=False,
        description="whether code and rebuilt images begin as those of principal components (of "
        "each cell of the code), to which the network learns what to add",
    )
    hog_weight: float = Field(
        default=1.0, gt=0, description="weight of the error of HOG; that of the pixels' is 1"
    )

    # Nor had they typical patches.
    centres: int = Field(
        default=0,
        ge=0,
        le=65_536,
        description="typical patches, found by k-means; how near those of an image are to each "
        "joins the features, before the network's maps; 0: none",
    )

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Conv(image_shape, self)

    def small(self) -> AutoencoderConfig:
        return super().small().model_copy(update={"centres": min(self.centres, 16)})

    def patches(self, image_shape: ImageShape) -> Kmeans | None:
        """The typical patches whose nearness joins the features, not found yet."""
        if not self.centres:
            return None
        count = _PATCHES_A_CENTRE * self.centres
        described = KmeansConfig(
            name="kmeans", centres=self.centres, patch=None, grid=_GRID, patches=count
        )
        return Kmeans(image_shape, described)


@final
class Conv(Convolutional):
    """Beside the code a head for what is predicted of each cell, and principal components."""

    def __init__(self, image_shape: ImageShape, config: ConvConfig) -> None:
        super().__init__(image_shape, config)
        self.config = config
        self.path = config.path_of(self.trunk, image_shape) if config.principal_path else None
        inputs, cell = self.trunk.outputs, self.trunk.stride
        self.hog_head = self.pixel_head = None
        if config.target in ("hog", "both"):
            self.hog_head = HogHead(inputs, cell=cell)
        if config.target == "normalised":
            self.pixel_head = PixelHead(inputs, cell=cell, channels=image_shape[0], normalised=True)
        self.patches = config.patches(image_shape)

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        maps = super().feature_maps(images)
        if self.patches is None:
            return maps
        # Distances of whitened patches need more digits than bf16 has.
        with torch.autocast(images.device.type, enabled=False):
            return [*self.patches.feature_maps(images), *maps]

    def deepest_map(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ _ _"]:
        return self.trunk(images)[-1]

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        begun = None if self.path is None else self.path.encode(images)
        return self._code(self.trunk(images)[-1], begun)

    def _code(
        self, deepest: Float[Tensor, "b _ _ _"], begun: Float[Tensor, "b d"] | None
    ) -> Float[Tensor, "b d"]:
        """From the coordinates along the path that it begins with, if there is one."""
        code = self.to_latent(deepest.flatten(1))
        return code if begun is None else begun + _ADDED * code

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        images = self.decoder(latents)
        if self.path is None:
            return images
        return bent(self.path.decode(latents) + images)

    def fit_closed_form(self, images: ImageRows, seed: int) -> None:
        if self.patches is not None:
            self.patches.fit_closed_form(images, seed)
        if self.path is not None:
            self.path.fit(images, seed)
            silence(self.to_latent, self.decoder.last)

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        return self._loss_of_map(self.trunk(seen.images)[-1], images, seen)

    def _loss_of_map(
        self,
        deepest: Float[Tensor, "b _ _ _"],
        images: Float[Tensor, "b c h w"],
        seen: Corrupted,
    ) -> Loss:
        rebuilt = self._rebuilt(deepest, images, seen)
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
        seen: Corrupted,
    ) -> Loss:
        # Where cells alone are the target, code and decoder learn from the maps, but the maps not
        # from them.
        teaches = self.config.target in ("pixels", "both")
        map_of_code = deepest if teaches else deepest.detach()
        begun, weight = None, seen.weight
        if self.path is not None:
            begun = self.path.encode(seen.images)
            weight = weight * self.path.trust(begun, images)
        return reconstruction_loss(self.decode(self._code(map_of_code, begun)), images, weight)

    def layers(self) -> list[Layer]:
        """Every stage but the last with a decoder to throw away, as the real one is no mirror."""
        if len(self.trunk.stages) == 1:
            return [Layer(list(self.children()), self.loss)]
        *inner, last = self.trunk.stages
        layers = [
            Layer((stage, decoder), partial(self._loss_of_stage, number, decoder))
            for number, (stage, decoder) in enumerate(zip(inner, self._decoders(), strict=True))
        ]
        fixed = (self.path, self.patches)
        others = [one for one in self.children() if one not in (self.trunk, *fixed)]
        return [*layers, Layer([last, *others], self._loss_of_last_stage)]

    def _decoders(self) -> list[nn.Module]:
        """From the map of each stage but the last to what that stage is given."""
        channels, *widths = (self.image_shape[0], *self.trunk.widths[:-1])
        factors = [2 * self.trunk.patch, *(2 for _ in widths[1:])]
        outputs = [channels, *widths[:-1]]
        return [
            enlarging(width, output, factor=factor)
            for width, output, factor in zip(widths, outputs, factors, strict=True)
        ]

    def _loss_of_stage(
        self,
        number: int,
        decoder: nn.Module,
        images: Float[Tensor, "b c h w"],
        draws: Draws,
        progress: float,
    ) -> Loss:
        below = self._below(number, images)
        seen = self.corruption.apply(below, draws)
        maps = (
            self.trunk.stages[number](seen.images)
            if number
            else self.trunk.first_maps(seen.images, 1)[-1]
        )
        height, width = below.shape[2:]
        return reconstruction_loss(decoder(maps)[:, :, :height, :width], below, seen.weight)

    def _loss_of_last_stage(
        self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float
    ) -> Loss:
        last = len(self.trunk.stages) - 1
        below = self.corruption.apply(self._below(last, images), draws)
        # The map is what is corrupted; principal components see the images as they are.
        intact = NoCorruption(name="none").apply(images, draws)
        return self._loss_of_map(self.trunk.stages[last](below.images), images, intact)

    @torch.no_grad()
    def _below(self, number: int, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ _ _"]:
        """What the stage of this number is given; its own weights and norms take no part."""
        return self.trunk.first_maps(images, number)[-1] if number else images


def _with(rebuilt: Loss, name: str, error: Float[Tensor, ""], *, weight: float = 1.0) -> Loss:
    return Loss(rebuilt.total + weight * error, {**rebuilt.terms, name: error.detach()})
