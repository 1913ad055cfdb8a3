"""The deep convolutional autoencoder, shaped for matrix hardware.

Masci, Meier, Ciresan & Schmidhuber 2011, Stacked convolutional auto-encoders for hierarchical
feature extraction, ICANN.
"""

from typing import Literal, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.blocks import Decoder, Trunk, patch_side
from ae_cls.autoencoder.parts.code import CodeCells, cells_by_size, to_code
from ae_cls.autoencoder.parts.corruption import CorruptionChoice
from ae_cls.autoencoder.parts.hog_head import HogHead
from ae_cls.autoencoder.parts.losses import reconstruction_loss
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws
from ae_cls.settings import Width
from ae_cls.train.loss import Loss


@final
class ConvConfig(AutoencoderConfig):
    """A convolutional encoder with a linear code, and its mirror."""

    name: Literal["conv"]
    widths: tuple[Width, ...] = Field(
        min_length=1,
        max_length=64,
        description="channels of each stage; every stage after the first halves the map",
    )
    depth: int = Field(ge=1, le=16, description="3x3 convolutions in each stage")
    decoder_width: Width = Field(description="channels of the decoder's map")
    latent_dim: int = Field(ge=1, description="numbers in the code")
    # Models that were saved before there was a choice have a dense code.
    code_cells: CodeCells = 1
    patch: int | None = Field(
        ge=1,
        le=16,
        description="side in pixels of the squares folded into channels; null: by image size",
    )
    # Models that were saved before there was a choice learnt pixels.
    target: Literal["pixels", "hog", "both"] = Field(
        default="pixels",
        description="what the encoder learns from: pixels, the gradient directions (HOG) of each "
        "cell, or both; the decoder rebuilds pixels in any case",
    )
    hog_weight: float = Field(
        default=1.0, gt=0, description="weight of the error of HOG; that of the pixels' is 1"
    )
    corruption: CorruptionChoice

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Conv(image_shape, self)

    def small(self) -> AutoencoderConfig:
        return self.model_copy(update={"widths": (16, 32), "latent_dim": 16})


@final
class Conv(Autoencoder):
    """Trunk - linear code, dense or a part a cell - decoder; beside the code a head for HOG."""

    def __init__(self, image_shape: ImageShape, config: ConvConfig) -> None:
        super().__init__()
        self.image_shape, self.config = image_shape, config
        patch = config.patch or patch_side(image_shape)
        most_cells = config.code_cells or cells_by_size(image_shape)
        self.trunk = Trunk(image_shape, widths=config.widths, depth=config.depth, patch=patch)
        self.to_latent = to_code(
            self.trunk.outputs,
            self.trunk.sides,
            latent_dim=config.latent_dim,
            most=most_cells,
        )
        self.decoder = Decoder(
            image_shape,
            latent_dim=config.latent_dim,
            code_cells=most_cells,
            width=config.decoder_width,
            patch=patch,
            stages=len(config.widths),
        )
        self.hog_head = None if config.target == "pixels" else HogHead(self.trunk)

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self.to_latent(self.trunk(images)[-1].flatten(1))

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        return self.decoder(latents)

    def encoder_layers(self) -> list[nn.Module]:
        return [*self.trunk.stages, self.to_latent]

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return self.trunk(images)

    def corrupted(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Float[Tensor, "b c h w"]:
        return self.config.corruption.apply(images, draws).images

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.config.corruption.apply(images, draws)
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
