"""A network that torchvision has for classification, as the encoder of an autoencoder."""

from pathlib import Path
from typing import Annotated, Literal, final

import torch
from jaxtyping import Float
from pydantic import AfterValidator, Field, model_validator
from torch import Tensor, nn

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Corrupting
from ae_cls.autoencoder.parts.corruption import CorruptionChoice
from ae_cls.autoencoder.parts.given_weights import IMAGENET, fill_from_file, fill_from_imagenet
from ae_cls.autoencoder.parts.losses import reconstruction_loss
from ae_cls.autoencoder.parts.principal import silence
from ae_cls.autoencoder.parts.readout import Readout
from ae_cls.autoencoder.parts.torchvision_network import NetworkName, TorchvisionNetwork
from ae_cls.autoencoder.parts.upward import Upward
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.draws import Draws
from ae_cls.errors import UsageError
from ae_cls.settings import PathText, Width, absolute
from ae_cls.train.loss import Loss

_DRAWN = "none"
_SMALL = 64  # pixels a side
_AT_ONCE = 32  # images that pass through the encoder together where no slope is kept
# Of the schedule's rate, for a vgg without batch norms. A step of Adam moves each of its 4,608
# weights a number as far as one of 27: at the whole rate its map is the same for all images after
# ten steps.
_RATE_WITHOUT_NORMS = 0.01


def _kept(weights: str) -> str:
    return weights if weights in (_DRAWN, IMAGENET) else absolute(weights)


@final
class BackboneConfig(AutoencoderConfig):
    """A network of torchvision, and a decoder from its deepest map."""

    name: Literal["backbone"]
    network: NetworkName = Field(
        description="as torchvision names it; a resnet has no pooling before its first stage where "
        "images have 64 pixels a side at most and its weights are drawn"
    )
    stages: int | None = Field(
        ge=1,
        description="number of stages to use, each ending where the map is made smaller; null: all",
    )
    weights: Annotated[PathText, AfterValidator(_kept)] = Field(
        min_length=1,
        description="none: drawn; imagenet: learnt with the labels of ImageNet, downloaded where "
        "torchvision does not have them yet; or a file of them, .safetensors or .pth",
    )
    frozen: bool = Field(
        description="pretraining leaves the encoder as it is, and trains the decoder alone"
    )
    decoder_width: Width = Field(
        description="channels of the decoder's first step; each further one has half as many"
    )
    # Models that were saved before there was a choice have none.
    readout: bool = Field(
        default=False,
        description="add to the decoder a linear one of each cell, which least squares on training "
        "images start, so that there is something to see from the first step on",
    )
    corruption: CorruptionChoice

    @model_validator(mode="after")
    def _something_is_frozen(self) -> "BackboneConfig":
        if self.frozen and self.weights == _DRAWN:
            raise ValueError(
                "frozen=true keeps weights that were learnt elsewhere, and weights=none are drawn: "
                "weights=imagenet or a file, frozen=false, or the control pretrain=none"
            )
        return self

    @property
    def supervised_prior(self) -> str:
        if self.weights == _DRAWN:
            return ""
        if self.weights == IMAGENET:
            return f"{self.network} begins with weights learnt with the labels of ImageNet"
        return f"{self.network} begins with weights of a file, perhaps learnt with labels"

    def build(self, image_shape: ImageShape) -> Autoencoder:
        if image_shape[0] not in (1, 3):
            raise UsageError(
                f"{self.network} takes grey or colour images, and these have {image_shape[0]} "
                "channels", where="autoencoder.network",
                fix="an autoencoder that takes any number, such as conv",
            )  # fmt: skip
        return Backbone(image_shape, self)

    def fill_initial(self, network: Autoencoder) -> None:
        if self.weights == _DRAWN:
            return
        assert isinstance(network, Backbone)
        if self.weights == IMAGENET:
            fill_from_imagenet(network.trunk, self.network)
        else:
            fill_from_file(network.trunk, Path(self.weights))

    def small(self) -> AutoencoderConfig:
        return self.model_copy(update={"network": "vgg11", "stages": 2, "decoder_width": 32})


@final
class Backbone(Corrupting):
    """Its code is the deepest map, every number of it."""

    def __init__(self, image_shape: ImageShape, config: BackboneConfig) -> None:
        super().__init__()
        self.image_shape, self.corruption = image_shape, config.corruption
        self.is_drawn, self.is_frozen = config.weights == _DRAWN, config.frozen
        self.trunk = TorchvisionNetwork(
            image_shape,
            network=config.network,
            stages=config.stages,
            # Weights from elsewhere were learnt with the network's own first layers.
            is_for_small=self.is_drawn and max(image_shape[1:]) <= _SMALL,
        )
        self.decoder = Upward(self.trunk.map_shape, image_shape, width=config.decoder_width)
        self.readout = Readout(self.trunk.map_shape, image_shape) if config.readout else None

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self.trunk(images)[-1].flatten(1)

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        maps = latents.unflatten(1, self.trunk.map_shape)
        images = self.decoder(maps)
        return images if self.readout is None else self.readout(maps) + images

    def encoder_layers(self) -> list[nn.Module]:
        return self.trunk.stages()

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return self.trunk(images)

    def rates(self) -> list[tuple[list[nn.Module], float]]:
        if self.trunk.has_norms:
            return super().rates()
        decoders: list[nn.Module] = [self.decoder]
        if self.readout is not None:
            decoders.append(self.readout)
        return [([self.trunk], _RATE_WITHOUT_NORMS), (decoders, 1.0)]

    def fit_scales(self, images: ImageRows) -> None:
        if self.is_drawn and not self.trunk.has_norms:
            sample = images.sample(_AT_ONCE)
            pixels = sample.take(torch.arange(len(sample)))
            self.trunk.fit_scales(to_unit(pixels, self.trunk.mean.device))

    def fit_closed_form(self, images: ImageRows, seed: int) -> None:
        if self.readout is None or len(images) < 2:
            return
        sample = images.sample(self.readout.enough_images)
        device = self.trunk.mean.device
        # Shares of nearly the same size: a batch norm needs two images.
        shares = torch.arange(len(sample)).tensor_split(-(-len(sample) // _AT_ONCE))
        parts = [to_unit(sample.take(share), device) for share in shares]
        self.train()
        with torch.no_grad():
            codes = torch.cat([self._codes(part) for part in parts])
        self.readout.fit(codes.unflatten(1, self.trunk.map_shape), torch.cat(parts))
        silence(self.decoder.to_pixels)

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        return reconstruction_loss(self.decode(self._codes(seen.images)), images, seen.weight)

    def _codes(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """As training sees them."""
        return self._untrained(images) if self.is_frozen else self.encode(images)

    @torch.no_grad()
    def _untrained(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Codes without a slope, from batch norms that keep what they know."""
        was_training = self.trunk.training
        self.trunk.eval()
        latents = self.encode(images)
        self.trunk.train(was_training)
        return latents
