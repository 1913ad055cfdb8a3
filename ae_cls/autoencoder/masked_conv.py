"""The masked convolutional autoencoder: hidden cells are left out, and predicted from the others.

Tian et al. 2023, Designing BERT for convolutional networks: sparse and hierarchical masked modeling
(SparK), arXiv 2301.03580. Woo et al. 2023, ConvNeXt V2, arXiv 2301.00808.
"""

import math
from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.parts.cell_heads import CellHeads, Target
from ae_cls.autoencoder.parts.convolutional import Convolutional, ConvolutionalConfig
from ae_cls.autoencoder.parts.losses import at_least_float32, mean_squared_error
from ae_cls.autoencoder.parts.visible import visible_cells, visible_maps
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws
from ae_cls.train.loss import Loss

_FLAT = 0.01  # variance over images of a place in the map that hardly varies; its rounding does


@final
class MaskedConvConfig(ConvolutionalConfig):
    """A convolutional encoder that sees visible cells alone, and a small decoder of the hidden.

    Other corruption than hidden cells is seen as it is, and every cell predicted.
    """

    # The error of the rebuilt pixels moves with the encoder, which does not follow it.
    has_exact_gradients: ClassVar[bool] = False
    # Statistics of a batch with hidden cells are not those of whole images.
    norms_span_batch: ClassVar[bool] = False
    name: Literal["masked_conv"]
    target: Target = Field(
        description="what the encoder learns from, cell by cell: pixels, pixels normalised to mean "
        "0 and variance 1, gradient directions (HOG), or both: normalised and hog; pixels of whole "
        "images are rebuilt from the code in any case"
    )
    hog_weight: float = Field(gt=0, description="weight of the error of HOG; that of pixels is 1")
    filling: int = Field(
        ge=1, le=16, description="3x3 convolutions that fill in the hidden cells of the last map"
    )

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return MaskedConv(image_shape, self)


@final
class MaskedConv(Convolutional):
    """Beside code and decoder: visible cells - trunk - a token for the hidden - filling - heads."""

    def __init__(self, image_shape: ImageShape, config: MaskedConvConfig) -> None:
        super().__init__(image_shape, config)
        self.hog_weight = config.hog_weight
        self.corruption = config.corruption.in_cells_of(self.trunk.stride)
        width = self.trunk.outputs
        # Maps hardly differ from one another, so their mean would be all that is rebuilt for long.
        # Not codes: a bias before a norm has no slope, and Adam makes steps of its rounding.
        numbers = width * math.prod(self.trunk.sides)
        self.standardise = nn.BatchNorm1d(numbers, eps=_FLAT, affine=False)
        self.hidden_token = nn.Parameter(0.02 * torch.randn(width))
        self.filling = nn.Sequential(
            *(
                layer
                for _ in range(config.filling)
                for layer in (nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True))
            )
        )
        self.heads = CellHeads(
            config.target, width, cell=self.trunk.stride, channels=image_shape[0]
        )

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self._code(self.trunk(images)[-1])

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        with torch.no_grad():  # else each image would be trained on twice, and once unmasked
            deepest = self.trunk(images)[-1]
        mse = mean_squared_error(self.decode(self._code(deepest)), images)
        seen = self.corruption.apply(images, draws)
        visible = visible_cells(seen.hidden, images, self.trunk.stride)
        errors = self.heads.errors(self.filled(seen.images, visible), images, seen.weight)
        total = mse
        for name, error in errors.items():
            total = total + (self.hog_weight if name == "hog" else 1.0) * error
        return Loss(total, {name: error.detach() for name, error in {"mse": mse, **errors}.items()})

    def filled(
        self, images: Float[Tensor, "b c h w"], visible: Float[Tensor, "b 1 down across"]
    ) -> Float[Tensor, "b _ down across"]:
        """The last map, hidden cells filled in from the visible ones."""
        maps = visible_maps(self.trunk, images, visible)[-1]
        tokens = self.hidden_token[:, None, None] * (1 - visible)
        return self.filling(maps + tokens.to(maps.dtype))

    def _code(self, deepest: Float[Tensor, "b _ _ _"]) -> Float[Tensor, "b d"]:
        return self.to_latent(self.standardise(at_least_float32(deepest.flatten(1))))
