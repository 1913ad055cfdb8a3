"""One number by which a head is made as sure as it is right (Guo et al. 2017, temperature scaling).

Fitted on rows that the head was not fitted on. Rows that are all answered rightly would ask for
certainty, and a single one answered wrongly for none at all: two things keep the temperature
finite. Targets are smoothed, and without rows it is what the scores of a margin usually need.
"""

import numpy as np
from jaxtyping import Float64
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from ae_cls.head.class_weight import Weights
from ae_cls.head.fitted import Labels, Probabilities

_RANGE = (0.01, 100.0)
# On digits and Fashion-MNIST with 20 to 1,000 labels the best was 0.15 to 0.53, by C, gamma and
# number of labels: within a factor of 2 of this.
_USUAL, _SPREAD = 0.3, np.log(2)


def fitted_temperature(held: Probabilities, labels: Labels, weights: Weights | None) -> float:
    """The temperature in 0.01 to 100 that suits these rows best.

    It minimises the summed cross-entropy with smoothed targets (Platt 1999, for several classes): a
    row of a class that n rows are of has the class's probability as (n + 1)/(n + 2), and those of
    the others share the rest; plus half the square of log2(temperature / 0.3), which a few rows
    outweigh. Rows whose class the head has not seen say nothing.

    Args:
        held: probabilities at temperature 1 of rows that were not fitted on.
        labels: their class indices.
        weights: a row counts as much as its class weighs, as it did in fitting; None: all alike.
    """
    possible = held > 0
    known = possible[np.arange(len(labels)), labels] & (possible.sum(axis=1) > 1)
    if not known.any():
        return _USUAL
    possible, labels = possible[known], labels[known]
    logits = np.log(held[known], where=possible, out=np.full(possible.shape, -np.inf))
    targets = _smoothed(labels, possible)
    if weights is not None:
        targets *= weights[labels, None]

    def loss(log_temperature: float) -> float:
        logs = log_softmax(logits / np.exp(log_temperature), axis=1)
        unusual = (log_temperature - np.log(_USUAL)) / _SPREAD
        return -float(np.sum(targets[possible] * logs[possible])) + 0.5 * unusual**2

    result = minimize_scalar(loss, bounds=np.log(_RANGE), method="bounded")
    return float(np.exp(result.x))


def at_temperature(held: Probabilities, temperature: float) -> Probabilities:
    """Probabilities whose logarithms are divided by the temperature; 0 stays 0."""
    possible = held > 0
    logits = np.log(held, where=possible, out=np.full(held.shape, -np.inf)) / temperature
    return np.exp(log_softmax(logits, axis=1))


def _smoothed(labels: Labels, possible: np.ndarray) -> Float64[np.ndarray, "n k"]:
    """One probability a class for each row, 0 where it is not possible."""
    count = np.bincount(labels)[labels]
    doubt = 1 / (count + 2)
    others = possible.astype(np.float64)
    others[np.arange(len(labels)), labels] = 0
    targets = others * (doubt / others.sum(axis=1))[:, None]
    targets[np.arange(len(labels)), labels] = 1 - doubt
    return targets
