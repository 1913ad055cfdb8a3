"""Images as rows of square patches, and back."""

import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor

from ae_cls.autoencoder.parts.cells import pixels_of_cells
from ae_cls.dataset.contract import ImageShape


def patchify(images: Float[Tensor, "b c h w"], side: int) -> Float[Tensor, "b patches pixels"]:
    """Row by row, edges filled up to whole patches; within one by channel, row and column."""
    return pixels_of_cells(images, side).flatten(2).transpose(1, 2)


def unpatchify(
    patches: Float[Tensor, "b patches pixels"], image_shape: ImageShape, side: int
) -> Float[Tensor, "b c h w"]:
    """The images, without what had filled their edges up."""
    height, width = image_shape[1:]
    cells = patches.transpose(1, 2).unflatten(2, (-1, -(-width // side)))
    return functional.pixel_shuffle(cells, side)[:, :, :height, :width]
