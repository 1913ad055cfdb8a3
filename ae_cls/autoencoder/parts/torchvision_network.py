"""torchvision's classification networks, without their classifier.

Simonyan & Zisserman 2015, Very deep convolutional networks for large-scale image recognition, arXiv
1409.1556 (vgg). He et al. 2016, Deep residual learning for image recognition, arXiv 1512.03385
(resnet). Howard et al. 2019, Searching for MobileNetV3, arXiv 1905.02244.
"""

from collections import OrderedDict
from itertools import pairwise
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ae_cls.autoencoder.parts.blocks import pad_to_multiple
from ae_cls.dataset.contract import ImageShape

NetworkName = Literal[
    "vgg11", "vgg11_bn", "vgg16", "vgg16_bn", "resnet18", "resnet34", "resnet50",
    "mobilenet_v3_small", "mobilenet_v3_large",
]  # fmt: skip

_RESNET = (4, 5, 6, 7)
_LAST_LAYERS: dict[NetworkName, tuple[int, ...]] = {
    "vgg11": (2, 5, 10, 15, 20), "vgg11_bn": (3, 7, 14, 21, 28),
    "vgg16": (4, 9, 16, 23, 30), "vgg16_bn": (6, 13, 23, 33, 43),
    "resnet18": _RESNET, "resnet34": _RESNET, "resnet50": _RESNET,
    "mobilenet_v3_small": (0, 1, 3, 8, 12), "mobilenet_v3_large": (1, 3, 6, 12, 16),
}  # fmt: skip
"""Of each stage, after which the map is made smaller; of vgg the pooling itself."""

_STRIDE = 32  # pixels a side of a cell of the deepest map: five halvings
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


@final
class TorchvisionNetwork(nn.Module):
    """Images to one map per stage.

    A side of fewer pixels than a cell of the deepest map stands for is filled up by repeating the
    edge, which a resnet for small images does not need.

    Args:
        image_shape: of what it takes; one channel is repeated to three.
        network: its name in torchvision.
        stages: the first so many; None: all.
        is_for_small: whether a resnet begins with a 3x3 convolution that keeps the size, in place
            of a larger one and pooling that quarter it, as in He et al., 4.2.

    Attributes:
        layers: with the names that they have in torchvision, but for `prefix` in front.
        prefix: of their names in torchvision.
        left_out: how the names of further layers begin there.
        map_shape: of the deepest map.
    """

    mean: Float[Tensor, "3 1 1"]
    deviation: Float[Tensor, "3 1 1"]

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        network: NetworkName,
        stages: int | None,
        is_for_small: bool,
    ) -> None:
        super().__init__()
        all_stages = _LAST_LAYERS[network]
        self.last_layers = all_stages[:stages]
        self.least_side = _STRIDE >> (len(all_stages) - len(self.last_layers))
        if is_for_small and _is_resnet(network):
            self.least_side = 1
        mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (_MEAN, _DEVIATION))
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)
        whole = _without_numbers(network, is_for_small=is_for_small)
        self.prefix = "" if _is_resnet(network) else "features."
        further = [name for name, _ in whole.named_children()][self.last_layers[-1] + 1 :]
        self.left_out = tuple(f"{self.prefix}{name}." for name in further)
        layers = whole[: self.last_layers[-1] + 1]
        black = self._large_enough(torch.empty(1, 3, *image_shape[1:], device="meta"))
        channels, height, width = layers.eval()(black).shape[1:]
        self.map_shape = (channels, height, width)
        self.layers = _drawn(layers)

    @property
    def has_norms(self) -> bool:
        """Whether it has batch norms, which every network but a plain vgg has."""
        return any(isinstance(module, _BatchNorm) for module in self.layers.modules())

    @torch.no_grad()
    def fit_scales(self, images: Float[Tensor, "b c h w"]) -> None:
        """Mean 0 and variance 1 of each channel before its activation, layer after layer.

        Drawn as torchvision draws them, thirteen layers without norms make nearly the same map of
        all images. Mishkin & Matas 2016, All you need is a good init, arXiv 1511.06422;
        Krähenbühl et al. 2016, Data-dependent initializations, arXiv 1511.06856.

        Args:
            images: in [0, 1]; of networks without batch norms, which are rows of layers.
        """
        maps = self._normed(images)
        for layer in self.layers:
            maps = layer(maps)
            if isinstance(layer, nn.Conv2d):
                mean, deviation = maps.mean((0, 2, 3)), maps.std((0, 2, 3), correction=0)
                scale = torch.where(deviation > 0, deviation, 1.0)
                layer.weight /= scale[:, None, None, None]
                assert layer.bias is not None
                layer.bias.sub_(mean).div_(scale)
                maps = (maps - mean[:, None, None]) / scale[:, None, None]

    def stages(self) -> list[nn.Module]:
        """The layers in their order, some in each."""
        firsts = [0, *(last + 1 for last in self.last_layers)]
        return [self.layers[first:end] for first, end in pairwise(firsts)]

    def forward(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        maps = [self._normed(images)]
        for stage in self.stages():
            maps.append(stage(maps[-1]))
        return maps[1:]

    def _normed(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 _ _"]:
        normed = (self._large_enough(images).expand(-1, 3, -1, -1) - self.mean) / self.deviation
        return normed.contiguous(memory_format=torch.channels_last)

    def _large_enough(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c _ _"]:
        if min(images.shape[2:]) >= self.least_side:
            return images
        return pad_to_multiple(images, self.least_side)


def _is_resnet(network: NetworkName) -> bool:
    return network.startswith("resnet")


def _without_numbers(network: NetworkName, *, is_for_small: bool) -> nn.Sequential:
    """The layers on torch's `meta` device: vgg's classifier alone would fill half a gigabyte."""
    from torchvision.models import get_model  # a second to import, and rarely needed

    with torch.device("meta"):
        parts = dict(get_model(network, weights=None).named_children())
        if not _is_resnet(network):
            layers = parts["features"]
            assert isinstance(layers, nn.Sequential)
            return layers
        if is_for_small:
            parts["conv1"] = nn.Conv2d(3, 64, 3, padding=1, bias=False)
            parts["maxpool"] = nn.Identity()
    del parts["avgpool"], parts["fc"]
    return nn.Sequential(OrderedDict(parts))


def _drawn(layers: nn.Sequential) -> nn.Sequential:
    """The layers with memory, and weights as torchvision draws them."""
    layers = layers.to_empty(device=torch.get_default_device()).train()
    for module in layers.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, _BatchNorm):
            module.reset_parameters()
    return layers
