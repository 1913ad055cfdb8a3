"""What every autoencoder offers: codes, images from codes, a loss, feature maps."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ae_cls.autoencoder.parts.posterior import Posterior
from ae_cls.autoencoder.parts.prior import DrawnCodes
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows
from ae_cls.draws import Draws, derive_seed
from ae_cls.machine.faults import is_out_of_memory
from ae_cls.machine.memory import refuse_more_than_there_is
from ae_cls.settings import Settings
from ae_cls.train.loss import Loss


@final
@dataclass(frozen=True)
class Layer:
    """One layer of a stack, as it is trained by itself on the codes of the layers below.

    Attributes:
        modules: that learn: the layer, and what decodes its code. A decoder that is no part of the
            network is thrown away afterwards.
        loss: as `Autoencoder.loss`; the layers below are asked without a slope.
    """

    modules: Sequence[nn.Module]
    loss: Callable[[Float[Tensor, "b c h w"], Draws, float], Loss]


class Autoencoder(nn.Module, ABC):
    """A network (or a fixed transform) between images and codes.

    `encode` and `decode` never corrupt and never sample: codes must not change between two calls.
    """

    image_shape: ImageShape
    allows_bf16: ClassVar[bool] = True
    """Whether half-precision matrix products are exact enough for it."""
    is_drawn: bool = True
    """Whether its weights begin at random; else its batch norms have seen images already."""

    @abstractmethod
    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Codes of images in [0, 1]; deterministic."""

    @abstractmethod
    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        """Images from codes; values near [0, 1], not clipped.

        Raises:
            NotImplementedError: this variant does not decode, and its config says so.
        """

    @abstractmethod
    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        """The maps of each stage, from the shallowest to the deepest; a flat code is a 1x1 map."""

    def deepest_map(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ _ _"]:
        """The last of them, without what the others alone need."""
        return self.feature_maps(images)[-1]

    @abstractmethod
    def encoder_layers(self) -> list[nn.Module]:
        """The encoder's layers from pixels to code; fine-tuning gives early ones a lower rate."""

    @abstractmethod
    def loss(self, images: Float[Tensor, "b c h w"], draws: Draws, progress: float) -> Loss:
        """The loss of one batch of clean images in [0, 1].

        A mean over images. With several processes, `images` is this process's share of the batch,
        and its mean is weighted by its size. A loss that is not such a mean (a ratio of sums, a
        clamp of a mean) takes its sums and means through `processes.batch`.

        Args:
            images: clean images.
            draws: random numbers of each sample.
            progress: share of the training steps already taken, in [0, 1]; for warm-ups.
        """

    def corrupted(self, images: Float[Tensor, "b c h w"], draws: Draws) -> Float[Tensor, "b c h w"]:
        """What the encoder sees in training; by default the images themselves."""
        return images

    def posterior(self, images: Float[Tensor, "b c h w"]) -> Posterior | None:
        """Of images in [0, 1], where training decodes samples of a distribution; often None."""
        return None

    def drawn_codes(self, draws: Draws) -> DrawnCodes | None:
        """From the prior that training holds codes to, as many as `draws` has samples; often None.

        `decode` makes images of them, which look like those of training as far as the network has
        learnt how these are spread.
        """
        return None

    def code_uses(self, latents: Float[Tensor, "b d"]) -> Int64[Tensor, " k"] | None:
        """How often codes choose each entry of a codebook; often None: there is none."""
        return None

    def divergence(self, posterior: Posterior) -> Float[Tensor, " b"]:
        """KL divergence from the prior in nats, or the bound on it that training minimises."""
        return posterior.divergence().sum(1)

    def assignments(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"] | None:
        """Probability of each cluster; rows sum to 1. None without clusters, as the config says."""
        return None

    def layers(self) -> list[Layer]:
        """From the first on, of a network that is a stack; decoders that it lacks are drawn."""
        return []

    def undecayed(self) -> list[nn.Module]:
        """Modules that weight decay leaves alone, as the loss says what they cost; often none."""
        return []

    def fit_scales(self, images: ImageRows) -> None:
        """Fit drawn layers to the images where no norm does it, trained or not; often nothing."""

    def rates(self) -> list[tuple[list[nn.Module], float]]:
        """Modules, and the factor on the learning rate that pretraining has for them; mostly 1."""
        return [([self], 1.0)]

    def fit_closed_form(self, images: ImageRows, seed: int) -> None:
        """Learn what needs no gradient (PCA's axes) from all training images; often nothing."""


class AutoencoderConfig(Settings, ABC):
    """The contract of every option of the group `autoencoder`."""

    has_gradients: ClassVar[bool] = True
    """Whether the encoder has weights that gradient descent can train."""
    has_exact_gradients: ClassVar[bool] = True
    """Whether the gradient of the loss is its slope. A straight-through estimate is not, nor is one
    that keeps the error of rebuilt pixels from the encoder."""
    decodes: ClassVar[bool] = True
    """Whether its codes can be turned back into images; if not, no error of them is reported."""
    has_clusters: ClassVar[bool] = False
    """Whether it says how probably an image belongs to each of some clusters."""

    is_stack: ClassVar[bool] = False
    """Whether its layers can be trained one after another."""

    @abstractmethod
    def build(self, image_shape: ImageShape) -> Autoencoder:
        """The network for images of this shape, with random weights from torch's current generator.

        Raises:
            UsageError: the images are too small for the network, with the fix.
        """

    @property
    def classes_in_code(self) -> int | None:
        """How many classes its code tells apart, of which labels can be learnt; often None."""
        return None

    @property
    def supervised_prior(self) -> str:
        """What its weights knew before they saw a first image, as a sentence; often nothing."""
        return ""

    def fill_initial(self, network: Autoencoder) -> None:
        """Fill in weights that are read from elsewhere; often none are.

        Raises:
            UsageError: there are none, or they are of another network.
        """

    def small(self) -> "AutoencoderConfig":
        """The same variant, small enough to learn eight images of 8x8 in a second; for tests."""
        return self


_COPIES = 2
"""Of the weights: as they were drawn, and as they are trained. What trains needs more."""


def bytes_of_weights(config: AutoencoderConfig, image_shape: ImageShape) -> int | float:
    """Of weights and buffers, counted without allocating any; infinity where torch cannot count.

    Raises:
        UsageError: the images are too small for the network.
    """
    try:
        return bytes_of(without_numbers(config, image_shape))
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return math.inf


def without_numbers(config: AutoencoderConfig, image_shape: ImageShape) -> Autoencoder:
    """The network on torch's `meta` device: it has names, shapes and types, and takes no memory."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return config.build(image_shape)


def bytes_of(network: torch.nn.Module) -> int:
    """Of its weights and buffers."""
    return sum(tensor.nbytes for tensor in network.state_dict().values())


def build(
    config: AutoencoderConfig, image_shape: ImageShape, seed: int, *, is_filled: bool = True
) -> Autoencoder:
    """The network with weights that follow from the seed; torch's generator stays as it was.

    Args:
        config: of the network.
        image_shape: of what it takes.
        seed: of the weights that are drawn.
        is_filled: whether it gets the weights that its config names; what was trained needs none.

    Raises:
        UsageError: the images are too small for it, or weights that it names are not there.
        TrainingError: it needs more memory than there is.
    """
    refuse_more_than_there_is(
        _COPIES * bytes_of_weights(config, image_shape), "the network", where="autoencoder",
        fix="fewer numbers in its layers or its code: ae-cls run --help; or smaller images",
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "init"))
        network = config.build(image_shape)
    if is_filled:
        config.fill_initial(network)
    return network
