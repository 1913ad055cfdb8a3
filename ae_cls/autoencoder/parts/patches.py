"""Images as rows of square patches, and back."""

from jaxtyping import Float
from torch import Tensor

from ae_cls.autoencoder.parts.blocks import pad_to_multiple
from ae_cls.dataset.contract import ImageShape


def patchify(images: Float[Tensor, "b c h w"], side: int) -> Float[Tensor, "b patches pixels"]:
    """Row by row, edges filled up to whole patches; within one by channel, row and column."""
    whole = pad_to_multiple(images, side).unflatten(3, (-1, side)).unflatten(2, (-1, side))
    return whole.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def unpatchify(
    patches: Float[Tensor, "b patches pixels"], image_shape: ImageShape, side: int
) -> Float[Tensor, "b c h w"]:
    """The images, without what had filled their edges up."""
    channels, height, width = image_shape
    across = -(-width // side)
    whole = patches.unflatten(2, (channels, side, side)).unflatten(1, (-1, across))
    return whole.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)[:, :, :height, :width]
