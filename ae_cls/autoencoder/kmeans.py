"""Patches in the terms of learnt centres: no gradients, and the strongest cheap control.

Coates, Lee & Ng 2011, An analysis of single-layer networks in unsupervised feature learning,
AISTATS, and the constants of their published code.
"""

from typing import ClassVar, Literal, final

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Fixed
from ae_cls.autoencoder.parts.lloyd import AT_ONCE, lloyd
from ae_cls.autoencoder.parts.rotation import rotation
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.draws import generator
from ae_cls.errors import UsageError
from ae_cls.machine.threads import eigenvectors

_FLAT = 10 / 255**2  # added to the variance of a patch, so that noise in flat ones stays small
_REGULARISER = 0.1  # added to the eigenvalues that whitening divides by
_IMAGES = 1024  # at a time, while patches are drawn


@final
class KmeansConfig(AutoencoderConfig):
    """How near each patch is to each of many typical patches; unfitted, to random directions."""

    has_gradients: ClassVar[bool] = False
    decodes: ClassVar[bool] = False
    name: Literal["kmeans"]
    centres: int = Field(
        ge=2, le=65_536, description="typical patches; each gives grid x grid numbers"
    )
    patch: int | None = Field(
        ge=2, description="side of a patch in pixels; null: a fifth of the image, 3 to 8"
    )
    grid: int = Field(
        ge=1, le=32, description="cells on each side, over which nearness is averaged"
    )
    patches: int = Field(ge=2, description="patches of training images that the centres come from")

    @model_validator(mode="after")
    def _a_patch_for_each_centre(self) -> "KmeansConfig":
        if self.patches < self.centres:
            raise ValueError(f"patches must be at least as many as centres ({self.centres})")
        return self

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Kmeans(image_shape, self)

    def small(self) -> AutoencoderConfig:
        return self.model_copy(update={"centres": 16, "patches": 1000})


@final
class Kmeans(Fixed):
    """Code = roots of the nearness to each centre, by cell of a grid; it does not decode."""

    mean: Float[Tensor, " numbers"]
    whitening: Float[Tensor, "numbers numbers"]
    centres: Float[Tensor, "k numbers"]

    def __init__(self, image_shape: ImageShape, config: KmeansConfig) -> None:
        super().__init__()
        self.image_shape, self.config = image_shape, config
        side = min(image_shape[1:])
        self.patch = config.patch or min(8, max(3, round(side / 5)))
        if side < self.patch:
            raise UsageError(
                f"kmeans cuts patches of {self.patch} pixels a side; {side} pixels are too few",
                where="autoencoder.patch",
                fix=f"autoencoder.patch={side} or less, or larger images",
            )
        numbers = image_shape[0] * self.patch**2
        self.register_buffer("mean", torch.zeros(numbers))
        # Random centres are the same in all directions, so a rotation whitens as well as none.
        self.register_buffer("whitening", rotation(numbers, numbers))
        self.register_buffer("centres", torch.randn(config.centres, numbers))

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return self._nearness(images).flatten(1).sqrt()

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        raise NotImplementedError("kmeans does not decode")

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return [self._nearness(images)]

    def fit_closed_form(self, images: ImageRows, seed: int) -> None:
        draw = generator(seed, "kmeans")
        patches = normalised(self._drawn(images, draw))
        mean, whitening = whitening_of(patches)
        self.mean.copy_(mean)
        self.whitening.copy_(whitening)
        self.centres.copy_(lloyd((patches - mean) @ whitening, self.config.centres, draw))

    def _nearness(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k down across"]:
        height, width = (side - self.patch + 1 for side in images.shape[2:])
        cells = min(self.config.grid, height), min(self.config.grid, width)
        at_once = max(1, AT_ONCE // (height * width * len(self.centres)))
        parts = [
            functional.adaptive_avg_pool2d(self._triangles(part).permute(0, 3, 1, 2), cells)
            for part in images.split(at_once)
        ]
        return torch.cat(parts)

    def _triangles(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b down across k"]:
        windows = windows_of(images, self.patch)
        whitened = (normalised(windows.flatten(3)) - self.mean) @ self.whitening
        distances = torch.cdist(
            whitened.flatten(0, 2), self.centres, compute_mode="use_mm_for_euclid_dist"
        )
        return (distances.mean(1, keepdim=True) - distances).relu_().unflatten(0, windows.shape[:3])

    def _drawn(self, images: ImageRows, draw: torch.Generator) -> Float[Tensor, "n numbers"]:
        """Patches from random places, of as many images as there are."""
        sources = images.sample(self.config.patches)
        count = -(-self.config.patches // len(sources))
        batches = sources.batches(_IMAGES)
        return torch.cat([self._drawn_from(batch, count, draw) for batch in batches])

    def _drawn_from(self, batch: Tensor, count: int, draw: torch.Generator) -> Tensor:
        """So many patches of each image."""
        windows = windows_of(to_unit(batch, torch.device("cpu")), self.patch)
        image = torch.arange(len(batch)).repeat_interleave(count)
        down, across = (
            torch.randint(places, image.shape, generator=draw) for places in windows.shape[1:3]
        )
        return windows[image, down, across].flatten(1)


def windows_of(images: Float[Tensor, "b c h w"], side: int) -> Float[Tensor, "b down across c _ _"]:
    """A view of all patches, one pixel apart."""
    return images.unfold(2, side, 1).unfold(3, side, 1).permute(0, 2, 3, 1, 4, 5)


def normalised(patches: Float[Tensor, "*n numbers"]) -> Float[Tensor, "*n numbers"]:
    """Each with mean 0 and, unless it is flat, variance 1."""
    variance, mean = torch.var_mean(patches, -1, correction=0, keepdim=True)
    return (patches - mean) / (variance + _FLAT).sqrt()


def whitening_of(
    patches: Float[Tensor, "n numbers"],
) -> tuple[Float[Tensor, " numbers"], Float[Tensor, "numbers numbers"]]:
    """Mean, and V (L + 0.1)^-1/2 V' of the covariance V L V' (ZCA)."""
    exact = patches.double()
    mean = exact.mean(0)
    values, axes = eigenvectors((exact - mean).T @ (exact - mean) / len(exact))
    whitening = axes / (values + _REGULARISER).sqrt() @ axes.T
    return mean.to(patches.dtype), whitening.to(patches.dtype)
