"""Principal components: the best linear code, in closed form.

Baldi & Hornik 1989, Neural networks and principal component analysis: learning from examples
without local minima, Neural Networks 2. Large images: Halko, Martinsson & Tropp 2011, Finding
structure with randomness, SIAM Review 53.
"""

from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float, Float64
from pydantic import Field
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig
from ae_cls.autoencoder.parts.bases import Fixed
from ae_cls.autoencoder.parts.dense import pixel_count
from ae_cls.autoencoder.parts.rotation import rotation
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows
from ae_cls.draws import generator
from ae_cls.errors import UsageError
from ae_cls.machine.threads import eigenvectors, threads_limited

_EXACT_UP_TO = 4096  # numbers in an image; the covariance of more would not fit a laptop's memory
_CHUNK = 4096  # images at a time
_EXTRA_AXES = 16  # oversampling of the subspace iteration (Halko, Martinsson & Tropp 2011, 1.3)
_PASSES = 6  # passes over the images of the subspace iteration


@final
class PcaConfig(AutoencoderConfig):
    """The best linear reconstruction from `latent_dim` numbers; unfitted, a random projection."""

    has_gradients: ClassVar[bool] = False
    name: Literal["pca"]
    latent_dim: int = Field(ge=1, le=4096, description="axes kept")

    def build(self, image_shape: ImageShape) -> Autoencoder:
        return Pca(image_shape, self)

    def small(self) -> AutoencoderConfig:
        return self.model_copy(update={"latent_dim": 16})


@final
class Pca(Fixed):
    """Code = coordinates along the leading axes of the covariance of the training images."""

    mean: Float[Tensor, " pixels"]
    axes: Float[Tensor, "pixels d"]

    def __init__(self, image_shape: ImageShape, config: PcaConfig) -> None:
        super().__init__()
        self.image_shape = image_shape
        pixels, kept = pixel_count(image_shape), config.latent_dim
        if kept > pixels:
            raise UsageError(
                f"pca cannot keep {kept} axes of images with {pixels} numbers",
                where="autoencoder.latent_dim",
                fix=f"autoencoder.latent_dim={pixels} or less",
            )
        self.register_buffer("mean", torch.full((pixels,), 0.5))
        self.register_buffer("axes", rotation(pixels, kept))

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        return (images.flatten(1) - self.mean) @ self.axes

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        return (latents @ self.axes.T + self.mean).unflatten(1, self.image_shape)

    def feature_maps(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return [self.encode(images)[:, :, None, None]]

    def fit_closed_form(self, images: ImageRows, seed: int) -> None:
        count, kept = len(self.mean), self.axes.shape[1]
        mean = sum((c.sum(0) for c in _centred(images, None)), torch.zeros(1)) / len(images)
        if count <= _EXACT_UP_TO:
            axes = _exact_axes(images, mean, kept)
        else:
            axes = _leading_axes(images, mean, kept, seed)
        # The sign of an axis is arbitrary: the largest loading is made positive.
        largest = axes.abs().argmax(dim=0, keepdim=True)
        self.mean.copy_(mean)
        self.axes.copy_(axes * axes.gather(0, largest).sign())


def _centred(images: ImageRows, mean: Tensor | None):
    for batch in images.batches(_CHUNK):
        flat = batch.flatten(1).double().div_(255.0)
        yield flat if mean is None else flat.sub_(mean)


def _exact_axes(images: ImageRows, mean: Tensor, kept: int) -> Float64[Tensor, "pixels d"]:
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for chunk in _centred(images, mean):
        covariance.addmm_(chunk.T, chunk)
    return eigenvectors(covariance)[1].flip(1)[:, :kept]


def _leading_axes(
    images: ImageRows, mean: Tensor, kept: int, seed: int
) -> Float64[Tensor, "pixels d"]:
    """Subspace iteration, a chunk at a time (Halko, Martinsson & Tropp 2011, algorithm 4.4)."""
    width = min(kept + _EXTRA_AXES, len(mean))
    start = torch.randn(len(mean), width, generator=generator(seed, "pca"), dtype=torch.float64)
    basis, inner = torch.linalg.qr(start)
    for _ in range(_PASSES):
        image = sum((c.T @ (c @ basis) for c in _centred(images, mean)), torch.zeros(1))
        basis, inner = torch.linalg.qr(image)
    with threads_limited(1):
        left, _, _ = torch.linalg.svd(inner)
    return (basis @ left)[:, :kept]
