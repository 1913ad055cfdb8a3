"""Principal components of images or of their cells, to which a network adds what they miss."""

import math
from typing import final

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from sklearn.decomposition import PCA
from torch import Tensor, nn

from ae_cls.autoencoder.parts.losses import PIXEL_ROUNDING
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.evaluate.yardsticks import enough_images

# Of decoded values beyond black and white, where no pixel is; at 0 nothing would be learnt there.
_SLOPE_OUTSIDE = 0.1
_LEAST_TRUST = 0.1  # of tiny images the axes may miss nothing: all that teaches is what is hidden


@final
class PrincipalPath(nn.Module):
    """Images to codes and back, by the same axes in every cell; nothing until they are fitted.

    Args:
        image_shape: of the images.
        latent_dim: numbers in the code, equally many for each cell.
        cells: down and across.
        cell: height and width of a cell in pixels; together they cover the image.
    """

    mean: Float[Tensor, " pixels"]
    axes: Float[Tensor, "k pixels"]
    residue: Float[Tensor, ""]
    variances: Float[Tensor, " k"]
    noise: Float[Tensor, ""]

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        latent_dim: int,
        cells: tuple[int, int],
        cell: tuple[int, int],
    ) -> None:
        super().__init__()
        self.image_shape, self.cells, self.cell = image_shape, cells, cell
        pixels = image_shape[0] * math.prod(cell)
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("axes", torch.zeros(latent_dim // math.prod(cells), pixels))
        self.register_buffer("residue", torch.tensor(1.0))
        self.register_buffer("variances", torch.zeros(len(self.axes)))
        self.register_buffer("noise", torch.tensor(1.0))

    def fit(self, images: ImageRows, seed: int) -> None:
        """Find the axes of a sample of the images; a number that has none of its own stays 0."""
        sample = images.sample(enough_images(self.image_shape))
        pixels = to_unit(sample.take(torch.arange(len(sample))), self.mean.device)
        cells = self._in_cells(pixels).flatten(0, 2).cpu().numpy()
        count = min(*self.axes.shape, len(cells))
        pca = PCA(count, random_state=seed % 2**32).fit(cells)
        self.mean.copy_(torch.from_numpy(pca.mean_))
        self.axes.zero_()[:count].copy_(torch.from_numpy(pca.components_))
        self.variances.zero_()[:count].copy_(torch.from_numpy(pca.explained_variance_))
        self.noise.copy_(torch.as_tensor(pca.noise_variance_ + PIXEL_ROUNDING))
        missed = self.decode(self.encode(pixels)) - pixels
        self.residue.copy_(missed.square().mean() + PIXEL_ROUNDING)

    def encode(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Coordinates along the axes, by axis and cell."""
        coordinates = (self._in_cells(images) - self.mean) @ self.axes.T
        return coordinates.movedim(-1, 1).flatten(1)

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        """The images with these coordinates."""
        coordinates = latents.unflatten(1, (-1, *self.cells)).movedim(1, -1)
        cells = (coordinates @ self.axes + self.mean).unflatten(-1, (-1, *self.cell))
        images = cells.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
        return images[:, :, : self.image_shape[1], : self.image_shape[2]]

    @torch.no_grad()
    def trust(
        self, seen: Float[Tensor, "b d"], images: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b 1 1 1"]:
        """1 where the coordinates seen are those of the images, less the more they are mistaken.

        What hidden cells take away is ten times what the axes miss. Were both the same to the loss,
        the network would guess the one and hardly look at the other.
        """
        mistaken = (seen - self.encode(images)).float().square().sum(1)
        error = mistaken / images[0].numel()
        return (self.residue / (self.residue + error)).clamp_min(_LEAST_TRUST)[:, None, None, None]

    def _in_cells(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b down across pixels"]:
        (down, across), (height, width) = self.cells, self.cell
        right, below = across * width - images.shape[3], down * height - images.shape[2]
        padded = functional.pad(images, (0, right, 0, below), mode="replicate")
        cells = padded.unflatten(3, (across, width)).unflatten(2, (down, height))
        return cells.permute(0, 2, 4, 1, 3, 5).flatten(3)


def bent(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Values beyond black and white drawn towards these."""
    return images.clamp(0, 1).lerp(images, _SLOPE_OUTSIDE)


def silence(*modules: nn.Module) -> None:
    """Make their output 0, from which they learn what to add to a path beside them."""
    for module in modules:
        for parameter in module.parameters():
            nn.init.zeros_(parameter)
