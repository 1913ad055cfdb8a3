"""The masked autoencoder: a vision transformer that sees some patches and fills in the others.

He et al. 2021, Masked autoencoders are scalable vision learners, arXiv 2111.06377.
"""

import math
from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float, Int64
from pydantic import Field, model_validator
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.blocks import Decoder
from ae_cls.autoencoder.parts.cells import normalised
from ae_cls.autoencoder.parts.corruption import cell_side, shuffled_cells
from ae_cls.autoencoder.parts.losses import at_least_float32, mean_squared_error
from ae_cls.autoencoder.parts.patches import patchify, unpatchify
from ae_cls.autoencoder.parts.transformer import FAINT, Block, linear, positions
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws
from ae_cls.errors import UsageError
from ae_cls.settings import Width
from ae_cls.train.loss import Loss

_CENTRE, _SPREAD = 0.5, 0.25  # of pixels, about: a token is to depend on them as on its place


@final
class MaeConfig(AutoencoderConfig):
    """A transformer on the visible patches; a small one predicts the hidden ones, normalised.

    A normalised patch has lost its mean and its contrast, so those predictions are no image. The
    code is the mean of the tokens, and a decoder of its own rebuilds pixels from it.
    """

    # The error of the rebuilt pixels moves with the encoder, which does not follow it.
    has_exact_gradients: ClassVar[bool] = False
    name: Literal["mae"]
    patch: int | None = Field(
        ge=1,
        le=64,
        description="side in pixels of a patch; null: 2 up to 15 px, 4 to 63, 8 to 127, else 16",
    )
    width: Width = Field(description="numbers of a token, a multiple of 4 and of the heads")
    depth: int = Field(ge=1, le=48, description="blocks of the encoder")
    heads: int = Field(ge=1, description="attentions side by side, in the decoder too")
    decoder_width: Width = Field(description="numbers of a token in the decoder, likewise")
    decoder_depth: int = Field(ge=1, le=48, description="blocks of the decoder")
    ratio: float = Field(ge=0, lt=1, description="share of the patches that are hidden")

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "MaeConfig":
        for name, width in (("width", self.width), ("decoder_width", self.decoder_width)):
            if width % 4 or width % self.heads:
                raise ValueError(f"{name} must be a multiple of 4 and of heads={self.heads}")
        return self

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Mae(image_shape, self)

    def small(self) -> AutoencoderConfig:
        sizes = {"width": 64, "depth": 2, "decoder_width": 64, "decoder_depth": 1}
        return self.model_copy(update=sizes)


@final
class Mae(Autoencoder):
    """Visible patches - encoder - tokens of the hidden ones added - decoder - hidden patches."""

    encoder_positions: Float[Tensor, "p d"]
    decoder_positions: Float[Tensor, "p d"]

    def __init__(self, image_shape: ImageShape, config: MaeConfig) -> None:
        super().__init__()
        self.image_shape, self.ratio = image_shape, config.ratio
        self.patch = config.patch or cell_side(min(image_shape[1:]))
        self.sides = _sides(image_shape, self.patch)
        pixels, width, narrow = image_shape[0] * self.patch**2, config.width, config.decoder_width
        self.to_tokens = linear(pixels, width)
        self.blocks = _blocks(width, config.depth, config.heads)
        self.norm = nn.LayerNorm(width)
        self.to_decoder = linear(width, narrow)
        self.hidden_token = nn.Parameter(0.02 * torch.randn(narrow))
        self.decoder = nn.Sequential(
            *_blocks(narrow, config.decoder_depth, config.heads),
            nn.LayerNorm(narrow),
            linear(narrow, pixels, gain=FAINT),  # the mean of its targets is 0
        )
        # Codes hardly differ from one another, so their mean would be all that is learnt for long.
        self.painter = nn.Sequential(
            nn.BatchNorm1d(width, affine=False),
            Decoder(
                image_shape, latent_dim=width, code_cells=1,
                width=narrow, patch=self.patch, stages=1,
            ),
        )  # fmt: skip
        for name, size in (("encoder_positions", width), ("decoder_positions", narrow)):
            self.register_buffer(name, positions(*self.sides, size), persistent=False)

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self.feature_maps(images)[-1].mean((2, 3))

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        return self.painter(at_least_float32(latents))

    def encoder_layers(self) -> list[nn.Module]:
        return [self.to_tokens, *self.blocks, self.norm]

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        """Of the blocks' first half, and of all: of whole images."""
        patches = patchify(images, self.patch)
        everything = torch.arange(patches.shape[1], device=images.device).expand(len(images), -1)
        return [
            tokens.transpose(1, 2).unflatten(2, self.sides)
            for tokens in self._stages(patches, everything)
        ]

    def corrupted(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Float[Tensor, "b c h w"]:
        patches = patchify(images, self.patch)
        visible, _ = self.split(draws)
        shown = torch.zeros_like(patches).scatter(1, _rows(visible, patches), 1.0)
        return unpatchify(patches * shown, self.image_shape, self.patch)

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        with torch.no_grad():  # else each image would be trained on twice, and once unmasked
            latents = self.encode(images)
        mse = mean_squared_error(self.decode(latents), images)
        hidden = self.error_of_hidden(images, draws)
        return Loss(mse + hidden, {"mse": mse.detach(), "hidden": hidden.detach()})

    def error_of_hidden(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Float[Tensor, ""]:
        """Mean squared error of the normalised pixels; 0 where nothing is hidden."""
        patches = patchify(images, self.patch)
        visible, hidden = self.split(draws)
        predicted = self.predicted(self.tokens(patches, visible), visible)
        error = (at_least_float32(predicted) - normalised(patches, dim=2)).square()
        places = _rows(hidden, patches)
        return error.gather(1, places).sum() / max(1, places.numel())

    def split(self, draws: Draws) -> tuple[Int64[Tensor, "b v"], Int64[Tensor, "b h"]]:
        """Which patches of each image are visible, and which are hidden."""
        count = math.prod(self.sides)
        order = shuffled_cells(draws, "mae", count)
        kept = max(1, int(count * (1 - self.ratio)))
        return order[:, :kept], order[:, kept:]

    def tokens(
        self, patches: Float[Tensor, "b p n"], visible: Int64[Tensor, "b v"]
    ) -> Float[Tensor, "b v d"]:
        """What the encoder makes of the visible patches; it sees no others."""
        return self._stages(patches, visible)[-1]

    def _stages(
        self, patches: Float[Tensor, "b p n"], visible: Int64[Tensor, "b v"]
    ) -> list[Float[Tensor, "b v d"]]:
        seen = (patches.gather(1, _rows(visible, patches)) - _CENTRE) / _SPREAD
        tokens, stages = self.to_tokens(seen) + self.encoder_positions[visible], []
        for number, block in enumerate(self.blocks, start=1):
            tokens = block(tokens)
            if number == len(self.blocks) // 2:
                stages.append(tokens)
        return [*stages, self.norm(tokens)]

    def predicted(
        self, tokens: Float[Tensor, "b v d"], visible: Int64[Tensor, "b v"]
    ) -> Float[Tensor, "b p n"]:
        """All patches, normalised."""
        known = self.to_decoder(tokens)
        unknown = self.hidden_token.to(known.dtype).expand(
            len(tokens), *self.decoder_positions.shape
        )
        whole = unknown.scatter(1, _rows(visible, known), known)
        return self.decoder(whole + self.decoder_positions)


def _rows(places: Int64[Tensor, "b v"], table: Float[Tensor, "b _ n"]) -> Int64[Tensor, "b v n"]:
    """The same places for all numbers of a row."""
    return places[:, :, None].expand(-1, -1, table.shape[2])


def _blocks(width: int, depth: int, heads: int) -> nn.ModuleList:
    return nn.ModuleList([Block(width, heads=heads) for _ in range(depth)])


def _sides(image_shape: ImageShape, patch: int) -> tuple[int, int]:
    down, across = (math.ceil(side / patch) for side in image_shape[1:])
    if min(down, across) < 2:
        raise UsageError(
            f"images of {image_shape[1]}x{image_shape[2]} pixels are {down}x{across} patches of "
            f"{patch} pixels a side: too few to hide some",
            where="autoencoder.patch",
            fix="use a smaller patch, or larger images (dataset.image_size)",
        )
    return down, across
