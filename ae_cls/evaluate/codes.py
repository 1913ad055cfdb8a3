"""What codes and rebuilt images of validation say of the health of a network, in numbers."""

import numpy as np
from jaxtyping import Float, Int

_DEAD = 1e-4  # of the mean variance of all units
_ACTIVE = 0.01  # variance over images of a mean that says something of them (arXiv 1509.00519)
_NEAR = 0.1  # so near a border an image's value may well be rebuilt at it or beyond


def dead_units(answers: Float[np.ndarray, "n d"]) -> float:
    """Share of the units whose answers hardly differ between images."""
    # From the first image on: rounding must not make a variance where there is none.
    variances = (answers - answers[0]).var(axis=0, dtype=np.float64)
    return float((variances <= _DEAD * variances.mean()).mean())


def active_units(means: Float[np.ndarray, "n d"]) -> int:
    """Numbers of a code of distributions that say something of the images.

    Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders, section 5.2.
    """
    return int((means.var(axis=0, dtype=np.float64) > _ACTIVE).sum())


def perplexity(uses: Int[np.ndarray, " k"]) -> float:
    """How many entries of a codebook are in use: exp of the entropy of choosing, from 1 to k."""
    shares = uses[uses > 0] / uses.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def saturated(
    outputs: Float[np.ndarray, "b c h w"], images: Float[np.ndarray, "b c h w"]
) -> Float[np.ndarray, " b"]:
    """Share of each image's decoded values far outside [0, 1], or at a border it is not near."""
    below = (outputs <= 0) & ((outputs < -_NEAR) | (images > _NEAR))
    above = (outputs >= 1) & ((outputs > 1 + _NEAR) | (images < 1 - _NEAR))
    return (below | above).mean(axis=(1, 2, 3))
