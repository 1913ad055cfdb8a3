"""A convolutional encoder with a linear code and its mirror, which several variants share."""

import math
from abc import ABC
from typing import Annotated, ClassVar, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Corrupting
from ae_cls.autoencoder.parts.blocks import (
    Decoder,
    Trunk,
    depth_by_size,
    group_norm,
    patch_side,
)
from ae_cls.autoencoder.parts.code import CodeCells, code_cells, most_cells, to_code
from ae_cls.autoencoder.parts.corruption import CorruptionChoice
from ae_cls.autoencoder.parts.principal import PrincipalPath
from ae_cls.dataset.contract import ImageShape
from ae_cls.settings import Width


class TrunkConfig(AutoencoderConfig, ABC):
    """The sizes of trunk and decoder, whatever the code between them."""

    norms_span_batch: ClassVar[bool] = True
    """Whether the norms of the trunk look at the whole batch, or at one image alone."""
    widths: tuple[Width, ...] = Field(
        min_length=1,
        max_length=64,
        description="channels of each stage; every stage after the first halves the map",
    )
    depth: Literal["auto"] | Annotated[int, Field(ge=1, le=16)] = Field(
        description="3x3 convolutions in each stage; auto: 2, of tiny images 1"
    )
    decoder_width: Width = Field(description="channels of the decoder's map")
    # None is said by models that were saved before tiny images were taken as they are.
    patch: Literal["auto"] | Annotated[int, Field(ge=1, le=16)] | None = Field(
        description="side in pixels of the squares folded into channels; auto: by image size; "
        "null: the same, but at least 2",
    )
    corruption: CorruptionChoice

    def patch_of(self, image_shape: ImageShape) -> int:
        """Side in pixels of the squares that are folded into channels."""
        by_size = patch_side(image_shape)
        if self.patch is None:
            return max(by_size, 2)
        return by_size if self.patch == "auto" else self.patch

    def trunk(self, image_shape: ImageShape) -> Trunk:
        """Images to maps."""
        depth = depth_by_size(image_shape) if self.depth == "auto" else self.depth
        patch = self.patch_of(image_shape)
        norm = nn.BatchNorm2d if self.norms_span_batch else group_norm
        return Trunk(image_shape, widths=self.widths, depth=depth, patch=patch, norm=norm)

    def painter(self, image_shape: ImageShape, *, numbers: int, most_cells: int) -> Decoder:
        """From a code of so many numbers, in at most so many cells a side, to images."""
        return Decoder(
            image_shape,
            latent_dim=numbers,
            code_cells=most_cells,
            width=self.decoder_width,
            patch=self.patch_of(image_shape),
            stages=len(self.widths),
        )


class ConvolutionalConfig(TrunkConfig, ABC):
    """The sizes of trunk, linear code and decoder."""

    latent_dim: int = Field(ge=1, description="numbers in the code")
    # Models that were saved before there was a choice have a dense code.
    code_cells: CodeCells = 1

    def to_code(self, trunk: Trunk, image_shape: ImageShape) -> nn.Module:
        """From the flat deepest map to the code."""
        return to_code(
            trunk.outputs,
            trunk.sides,
            latent_dim=self.latent_dim,
            most=self._most_cells(image_shape),
        )

    def decoder(self, image_shape: ImageShape) -> Decoder:
        """From the code to images."""
        return self.painter(
            image_shape, numbers=self.latent_dim, most_cells=self._most_cells(image_shape)
        )

    def path_of(self, trunk: Trunk, image_shape: ImageShape) -> PrincipalPath:
        """Principal components of what each cell of the code stands for."""
        most = self._most_cells(image_shape)
        cells = code_cells(trunk.sides, latent_dim=self.latent_dim, most=most)
        height, width = (
            trunk.stride * math.ceil(side / count)
            for side, count in zip(trunk.sides, cells, strict=True)
        )
        return PrincipalPath(
            image_shape, latent_dim=self.latent_dim, cells=cells, cell=(height, width)
        )

    def _most_cells(self, image_shape: ImageShape) -> int:
        return most_cells(self.code_cells, image_shape)

    def small(self) -> AutoencoderConfig:
        return self.model_copy(update={"widths": (16, 32), "latent_dim": 16})


class Convolutional(Corrupting, ABC):
    """Trunk - linear code, dense or a part a cell - decoder."""

    def __init__(self, image_shape: ImageShape, config: ConvolutionalConfig) -> None:
        super().__init__()
        self.image_shape, self.corruption = image_shape, config.corruption
        self.trunk = config.trunk(image_shape)
        self.to_latent = config.to_code(self.trunk, image_shape)
        self.decoder = config.decoder(image_shape)

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self.to_latent(self.trunk(images)[-1].flatten(1))

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        return self.decoder(latents)

    def encoder_layers(self) -> list[nn.Module]:
        return [*self.trunk.stages, self.to_latent]

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return self.trunk(images)
