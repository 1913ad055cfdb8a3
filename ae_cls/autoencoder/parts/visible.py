"""A trunk that sees visible cells alone: hidden ones are 0 after every layer, and in no norm.

What sparse convolutions compute, with dense ones. Tian et al. 2023, Designing BERT for
convolutional networks: sparse and hierarchical masked modeling (SparK), arXiv 2301.03580.
"""

from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.autoencoder.parts.blocks import Trunk, pad_to_multiple
from ae_cls.autoencoder.parts.losses import at_least_float32


def visible_cells(
    hidden: Float[Tensor, "b 1 #h #w"], images: Float[Tensor, "b c h w"], cell: int
) -> Float[Tensor, "b 1 _ _"]:
    """1 for each cell that is visible, 0 for the others; pixels of a cell are hidden together."""
    pixels = hidden.expand(-1, -1, *images.shape[2:])
    return 1 - pad_to_multiple(pixels, cell)[:, :, ::cell, ::cell]


def visible_maps(
    trunk: Trunk, images: Float[Tensor, "b c h w"], visible: Float[Tensor, "b 1 down across"]
) -> list[Float[Tensor, "b _ _ _"]]:
    """The maps of each stage; what is hidden changes none of the visible cells' numbers.

    Args:
        trunk: whose norms are group norms.
        images: of any pixels where they are hidden.
        visible: 1 for the cells of the deepest map that are, 0 for the others.
    """
    maps = [_shown(trunk.folded(images), visible)]
    for stage in trunk.stages:
        maps.append(_through(stage, maps[-1], visible))
    return maps[1:]


def _through(
    stage: nn.Module, maps: Float[Tensor, "b _ _ _"], visible: Float[Tensor, "b 1 down across"]
) -> Float[Tensor, "b _ _ _"]:
    for layer in stage.children():
        if isinstance(layer, nn.GroupNorm):
            maps = group_normed(layer, maps, visible)
        else:
            maps = layer(maps)
        maps = _shown(maps, visible)
    return maps


def group_normed(
    norm: nn.GroupNorm, maps: Float[Tensor, "b c h w"], visible: Float[Tensor, "b 1 down across"]
) -> Float[Tensor, "b c h w"]:
    """What the norm makes of maps, means and variances being those of the visible cells.

    Args:
        norm: whose groups, weights and biases are used.
        maps: 0 where they are hidden.
        visible: 1 for visible cells, 0 for the others.
    """
    groups = at_least_float32(maps).unflatten(1, (norm.num_groups, -1))
    shown = _enlarged(visible, maps)[:, :, None]
    count = (shown.sum((2, 3, 4), keepdim=True) * groups.shape[2]).clamp_min(1)
    centred = (groups - groups.sum((2, 3, 4), keepdim=True) / count) * shown
    variances = centred.square().sum((2, 3, 4), keepdim=True) / count
    normed = (centred * (variances + norm.eps).rsqrt()).flatten(1, 2)
    return normed * norm.weight[:, None, None] + norm.bias[:, None, None]


def _shown(
    maps: Float[Tensor, "b c h w"], visible: Float[Tensor, "b 1 down across"]
) -> Float[Tensor, "b c h w"]:
    return maps * _enlarged(visible, maps)


def _enlarged(
    visible: Float[Tensor, "b 1 down across"], maps: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b 1 h w"]:
    times = maps.shape[2] // visible.shape[2]
    return visible.repeat_interleave(times, 2).repeat_interleave(times, 3).to(maps.dtype)
