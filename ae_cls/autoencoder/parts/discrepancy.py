"""How far codes are from normal ones, judged by comparing all with all."""

import torch
from jaxtyping import Float
from torch import Tensor

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Of the kernels: those of the authors' code (github.com/tolstikhin/wae)."""


def squared_discrepancy(
    codes: Float[Tensor, "n d"], prior: Float[Tensor, "n d"], scales: tuple[float, ...]
) -> Float[Tensor, ""]:
    """An unbiased estimate of the squared maximum mean discrepancy, summed over kernels.

    The kernels are C / (C + squared distance) with C = 2 d scale, 2 d being the mean squared
    distance of two standard normal codes (Tolstikhin, Bousquet, Gelly & Schoelkopf 2018, ICLR,
    arXiv 1711.01558; the estimate: Gretton et al. 2012, JMLR 13, lemma 6). It may be below 0.

    Args:
        codes: of the whole batch.
        prior: drawn from what they should look like.
        scales: of the kernels.
    """
    count, size = codes.shape
    pairs = count * max(count - 1, 1)
    # Differences of products: half precision would leave few of their digits.
    with torch.autocast(codes.device.type, enabled=False):
        own, wanted = (_squared_distances(rows, rows) for rows in (codes, prior))
        across = _squared_distances(codes, prior)
    total = codes.new_zeros(())
    for scale in scales:
        nearness = [_kernel(d, 2 * size * scale) for d in (own, wanted, across)]
        same = sum(kernel.sum() - kernel.diagonal().sum() for kernel in nearness[:2])
        total = total + same / pairs - 2 * nearness[2].mean()
    return total


def _kernel(distances: Float[Tensor, "n m"], width: float) -> Float[Tensor, "n m"]:
    return width / (width + distances)


def _squared_distances(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    lengths = a.square().sum(1)[:, None] + b.square().sum(1)
    return (lengths - 2 * a @ b.T).clamp_min(0)
