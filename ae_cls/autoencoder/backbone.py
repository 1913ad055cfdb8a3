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
from ae_cls.autoencoder.parts.torchvision_network import NetworkName, TorchvisionNetwork
from ae_cls.autoencoder.parts.upward import Upward
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws
from ae_cls.errors import UsageError
from ae_cls.settings import PathText, Width, absolute
from ae_cls.train.loss import Loss

_DRAWN = "none"
_SMALL = 64  # pixels a side


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

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self.trunk(images)[-1].flatten(1)

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        return self.decoder(latents.unflatten(1, self.trunk.map_shape))

    def encoder_layers(self) -> list[nn.Module]:
        return self.trunk.stages()

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return self.trunk(images)

    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        seen = self.corruption.apply(images, draws)
        latents = self._untrained(seen.images) if self.is_frozen else self.encode(seen.images)
        return reconstruction_loss(self.decode(latents), images, seen.weight)

    @torch.no_grad()
    def _untrained(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Codes without a slope, from batch norms that keep what they know."""
        was_training = self.trunk.training
        self.trunk.eval()
        latents = self.encode(images)
        self.trunk.train(was_training)
        return latents
