"""Centres of points, by k-means."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

PASSES = 15
"""Over the points; later ones hardly move a centre."""
AT_ONCE = 2**20
"""Distances: few enough to stay in the processor's cache."""


def lloyd(
    points: Float[Tensor, "n numbers"], count: int, draw: torch.Generator
) -> Float[Tensor, "k numbers"]:
    """Centres by Lloyd's algorithm, from random points; one that nobody is nearest to moves."""
    centres = points[torch.randperm(len(points), generator=draw)[:count]]
    for _ in range(PASSES):
        sums, members = torch.zeros_like(centres), torch.zeros(count, dtype=torch.long)
        for chunk, nearest in _nearest_in_parts(points, centres):
            sums.index_add_(0, nearest, chunk)
            members += torch.bincount(nearest, minlength=count)
        others = points[torch.randint(len(points), (count,), generator=draw)]
        centres = torch.where(members[:, None] > 0, sums / members[:, None].clamp(min=1), others)
    return centres


def _nearest_in_parts(points: Tensor, centres: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Points, and which centre is nearest to each."""
    lengths = centres.square().sum(1)
    for chunk in points.split(max(1, AT_ONCE // len(centres))):
        distances = torch.addmm(lengths, chunk, centres.T, alpha=-2)
        # NumPy's, as it takes a tenth of the time of torch's on a CPU.
        yield chunk, torch.from_numpy(distances.numpy().argmin(1))
