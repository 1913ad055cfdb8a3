"""Ways of rebuilding images that need no network, against which one is measured."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Float32
from sklearn.decomposition import PCA

_MOST_IMAGES = 8192
_MOST_VALUES = 2**25  # in all of them, in 128 MB: the axes of large images take seconds, too


def enough_images(image_shape: tuple[int, int, int]) -> int:
    """How many images of this shape to fit the yardsticks on."""
    return min(_MOST_IMAGES, max(2, _MOST_VALUES // math.prod(image_shape)))


@final
@dataclass(frozen=True)
class Yardsticks:
    """What was learnt from training images.

    Attributes:
        mean: of the images.
        axes: the leading principal axes, as many as the code has numbers where the images allow;
            None: the code has as many numbers as an image, and nothing is lost.
        fitted_on: images.
    """

    mean: Float[np.ndarray, " pixels"]
    axes: Float[np.ndarray, "axes pixels"] | None
    fitted_on: int

    @classmethod
    def fit(
        cls, images: Float32[np.ndarray, "n c h w"], *, code_size: int, seed: int
    ) -> "Yardsticks":
        """From images in [0, 1]; scikit-learn's PCA, randomised where they are large."""
        flat = images.reshape(len(images), -1)
        mean = flat.mean(axis=0, dtype=np.float64)
        if code_size >= flat.shape[1]:
            return cls(mean, None, len(images))
        pca = PCA(min(code_size, len(flat)), random_state=seed % 2**32).fit(flat)
        return cls(mean, pca.components_, len(images))

    @property
    def axes_kept(self) -> int:
        """How many axes PCA has."""
        return len(self.mean) if self.axes is None else len(self.axes)

    def rebuilt(
        self, images: Float32[np.ndarray, "n c h w"]
    ) -> dict[str, Float[np.ndarray, "n c h w"]]:
        """Each image answered with the mean training image, its own mean colour, and by PCA."""
        return {
            "mean_image": np.broadcast_to(self.mean.reshape(images.shape[1:]), images.shape),
            "mean_colour": np.broadcast_to(images.mean((2, 3), keepdims=True), images.shape),
            "pca": self._by_pca(images),
        }

    def _by_pca(self, images: Float32[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n c h w"]:
        if self.axes is None:
            return images
        centred = images.reshape(len(images), -1) - self.mean
        return (centred @ self.axes.T @ self.axes + self.mean).reshape(images.shape)
