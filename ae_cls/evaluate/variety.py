"""In how many directions features differ between images."""

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

_ROWS = 256  # enough to tell collapsed features, and few enough to take no time
_ROUNDING = 1e-6  # of float32, as a share of the features' size


def effective_rank(features: Float[np.ndarray, "n d"]) -> float:
    """The exponential of the entropy of the singular values of centred features, as shares.

    From 1, where all differences lie on a line, to the smaller of n - 1 and d, where they are as
    large in each direction; 0 where there are none. Of more than 256 rows some stand for all
    (Roy & Vetterli 2007, The effective rank, EUSIPCO).
    """
    rows = features[:: -(-len(features) // _ROWS)].astype(np.float64)
    centred = rows - rows.mean(axis=0)
    if np.abs(centred).max(initial=0) <= _ROUNDING * np.abs(rows).max(initial=0):
        return 0.0
    with threadpool_limits(1):  # on a busy machine many threads take many times as long
        squares = np.linalg.eigvalsh(centred @ centred.T).clip(min=0)
    singular = np.sqrt(squares)
    shares = singular[singular > _ROUNDING * singular.max()] / singular.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))
