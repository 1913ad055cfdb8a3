"""Linear discriminant analysis: normal classes that share one covariance, shrunk.

Fisher 1936, The use of multiple measurements in taxonomic problems, Annals of Eugenics 7.
Ledoit & Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices,
Journal of Multivariate Analysis 88.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal, final

import numpy as np
from jaxtyping import Float64
from scipy.linalg import solve

from ae_cls.head.choice import Trial
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import NEVER, Features
from ae_cls.head.softmax import Softmax
from ae_cls.head.standardise import Standardiser

_ROWS = 4096  # at a time; with fewer, adding up the covariance takes longer than its products


@final
class LdaConfig(FeatureHeadConfig):
    """Nothing to choose: how far the covariance is shrunk follows from the labelled rows.

    scikit-learn shrinks the covariance of each class alone, of which two rows cannot say how far:
    with two labels a class of the digits it is right in 45 %, this in 66 %; from three labels on
    the two are within a point. With class weights a row counts as its class weighs.
    """

    fold_repeats: ClassVar[int] = 1
    name: Literal["lda"]

    @property
    def fitted_type(self) -> type[Softmax]:
        return Softmax

    def least_memory(self, rows: int, features: int, classes: int) -> int | float:
        return 2 * 8 * features**2  # the covariance, and its factor

    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        standardiser, weights = Standardiser.fit(task.train.features), self.weights(task)
        of_rows = (np.ones(task.class_count) if weights is None else weights)[task.train.labels]
        shares = np.bincount(task.train.labels, of_rows, task.class_count) / of_rows.sum()
        means = _means(task, standardiser)
        covariance = _covariance(_residuals(task, standardiser, means, np.sqrt(of_rows)))
        weight = solve(covariance, means.T, assume_a="pos").T
        logs = np.log(shares, where=shares > 0, out=np.full(len(shares), NEVER))
        head = Softmax(
            head=self.name, facts={}, mean=standardiser.mean, scale=standardiser.scale,
            weight=weight.astype(np.float32, order="C"),
            bias=(logs - 0.5 * (means * weight).sum(axis=1)).astype(np.float32),
        )  # fmt: skip
        yield Trial({}, head, head.predict_proba(task.held.features))


def _means(task: FeatureTask, standardiser: Standardiser) -> Float64[np.ndarray, "k d"]:
    """Of the standardised rows of each class; 0 for a class without any."""
    labels = task.train.labels
    sums = np.zeros((task.class_count, task.train.features.shape[1]))
    for rows, block in standardiser.blocks(task.train.features):
        np.add.at(sums, labels[rows], block)
    return sums / np.maximum(1, np.bincount(labels, minlength=task.class_count))[:, None]


def _residuals(
    task: FeatureTask,
    standardiser: Standardiser,
    means: Float64[np.ndarray, "k d"],
    factors: Float64[np.ndarray, " n"],
) -> Iterator[Features]:
    """Blocks of the standardised rows, each less the mean of its class, times its factor."""
    means = means.astype(np.float32)
    for rows, block in standardiser.blocks(task.train.features, _ROWS):
        block -= means[task.train.labels[rows]]
        yield block * factors[rows, None].astype(np.float32)


def _covariance(residuals: Iterator[Features]) -> Float64[np.ndarray, "d d"]:
    """Of rows whose mean is 0, as far towards a multiple of the identity as is expected to be best.

    The identity where no row differs from the mean of its class.
    """
    count, products, fourth_powers = 0, np.float64(0), np.float64(0)
    for block in residuals:
        count += len(block)
        products = products + (block.T @ block).astype(np.float64)
        fourth_powers += np.square(np.square(block).sum(axis=1), dtype=np.float64).sum()
    covariance = np.asarray(products) / count
    width, variance = len(covariance), np.trace(covariance) / len(covariance)
    if variance == 0:
        return np.eye(width)
    square = np.square(covariance).sum()
    noise, distance = (fourth_powers / count - square) / count, square - width * variance**2
    shrinkage = min(1.0, noise / distance) if distance > 0 else 0.0
    covariance *= 1 - shrinkage
    covariance[np.diag_indices(width)] += shrinkage * variance
    return covariance
