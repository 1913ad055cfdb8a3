"""Directions drawn at random."""

import torch
from jaxtyping import Float
from torch import Tensor

from ae_cls.machine.threads import threads_limited


def rotation(rows: int, columns: int) -> Float[Tensor, "rows columns"]:
    """Columns of length 1 at right angles, from torch's current generator."""
    drawn = torch.randn(rows, columns)
    # Without memory of its own it only has a size, and torch takes a second to say the same of QR.
    if drawn.is_meta:
        return drawn
    # On two threads QR ends in other bits: to the store that is another network.
    with threads_limited(1):
        return torch.linalg.qr(drawn)[0]
