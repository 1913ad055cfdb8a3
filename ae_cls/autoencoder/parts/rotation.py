"""Directions drawn at random."""

import torch
from jaxtyping import Float
from torch import Tensor


def rotation(rows: int, columns: int) -> Float[Tensor, "rows columns"]:
    """Columns of length 1 at right angles, from torch's current generator."""
    drawn = torch.randn(rows, columns)
    # Without memory of its own it only has a size, and torch takes a second to say the same of QR.
    return drawn if drawn.is_meta else torch.linalg.qr(drawn)[0]
