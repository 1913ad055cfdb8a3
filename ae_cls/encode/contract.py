"""What every way of reading features from an encoder answers."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.settings import Settings


class EncodeConfig(Settings, ABC):
    """The contract of every option of the group `encode`."""

    reads_clusters: ClassVar[bool] = False
    """Whether features are probabilities of clusters, which few autoencoders find."""
    name: Any  # a Literal in each subclass

    @abstractmethod
    def features(
        self, model: Autoencoder, images: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b d"]:
        """Features of clean images in [0, 1]; deterministic, and differentiable for fine-tuning."""
