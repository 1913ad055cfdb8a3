"""scikit-learn's SVC (libsvm), whose time and memory grow with the square of the rows.

libsvm fits it. The kernel and the scores are our own matrix products: libsvm's take minutes for
thousands of support vectors, and it follows the arrays of a damaged file without looking at their
sizes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from sklearn.svm import SVC
from torch import Tensor

from ae_cls.errors import ModelFileError
from ae_cls.head.fitted import Fact, Features, Labelled
from ae_cls.head.head_files import ARRAYS, Arrays, Layout
from ae_cls.head.standardise import Standardiser, as_tensor
from ae_cls.head.svm_machine import Candidate, Machine, gamma_scale, rbf

LAYOUT: Layout = {
    "mean": (np.float32, "d"),
    "scale": (np.float32, "d"),
    "vectors": (np.float32, "sd"),
    "coefficients": (np.float64, "qs"),
    "intercepts": (np.float64, "p"),
    "counts": (np.int64, "k"),
    "gamma": (np.float64, "o"),
}
_QUERIES = 1024  # rows at a time


def exact_candidates(
    train: Labelled,
    standardiser: Standardiser,
    *,
    kernel: str,
    strengths: tuple[float, ...],
    gammas: tuple[float, ...],
) -> Iterator[Candidate]:
    """One machine for each gamma (a factor on "scale"; of rbf only) and C."""
    table = standardiser.apply(train.features)
    scale = gamma_scale(train.features, standardiser)
    pairs = np.empty((len(table), len(table)))  # what libsvm reads without a copy
    for factor in gammas if kernel == "rbf" else (0.0,):
        # Once for all strengths, by matrix products: libsvm's own took 5 times as long in all.
        _fill(pairs, table, factor * scale)
        for strength in strengths:
            svc = SVC(C=strength, kernel="precomputed").fit(pairs, train.labels)
            setting: dict[str, Fact] = {"C": strength, **({"gamma": factor} if factor else {})}
            machine = Exact.of(svc, table, standardiser, factor * scale)
            yield Candidate(machine, setting, {"support_vectors": len(machine.vectors)})


def _fill(
    pairs: Float64[np.ndarray, "n n"], table: Float32[np.ndarray, "n d"], gamma: float
) -> None:
    """The kernel of all pairs of rows, in place."""
    # Products of rows need more digits than a number between 0 and 1.
    others = as_tensor(table) if gamma else as_tensor(table).double()
    for start in range(0, len(table), _QUERIES):
        rows = others[start : start + _QUERIES]
        pairs[start : start + _QUERIES] = _kernel(rows, others, gamma).numpy()


def _kernel(
    rows: Float[Tensor, "b d"], others: Float[Tensor, "m d"], gamma: float
) -> Float[Tensor, "b m"]:
    return rbf(rows, others, gamma) if gamma else rows @ others.T


@final
@dataclass(frozen=True)
class Exact(Machine):
    """One against one, as libsvm, then one score a class as SVC(break_ties=True).

    Attributes:
        standardiser: of the features.
        vectors: support vectors, standardised, ordered by class.
        coefficients: of each vector, against each other class in order.
        intercepts: of each pair of classes; of the second class where there are two.
        counts: support vectors of each class.
        gamma: of rbf; 0 for a linear kernel.
    """

    standardiser: Standardiser
    vectors: Float32[np.ndarray, "s d"]
    coefficients: Float64[np.ndarray, "q s"]
    intercepts: Float64[np.ndarray, " p"]
    counts: Int64[np.ndarray, " k"]
    gamma: float

    @classmethod
    def of(
        cls,
        svc: SVC,
        table: Float32[np.ndarray, "n d"],
        standardiser: Standardiser,
        gamma: float,
    ) -> "Exact":
        """The parts of an SVC, fitted on the rows of `table`, that scores need."""
        return cls(
            standardiser,
            table[np.asarray(svc.support_)],
            np.asarray(svc.dual_coef_, np.float64),
            np.asarray(svc.intercept_, np.float64),
            np.asarray(svc.n_support_, np.int64),
            gamma,
        )

    def scores(self, features: Features) -> Float64[np.ndarray, "n k"]:
        vectors = as_tensor(self.vectors)
        parts: list[np.ndarray] = []
        for _, block in self.standardiser.blocks(features, _QUERIES):
            rows = torch.from_numpy(block)
            parts.append(self._of_kernel(_kernel(rows, vectors, self.gamma).double().numpy()))
        return np.concatenate(parts)

    def _of_kernel(self, kernel: Float64[np.ndarray, "b s"]) -> Float64[np.ndarray, "b k"]:
        count = len(self.counts)
        if count == 2:
            second = kernel @ self.coefficients[0] + self.intercepts[0]
            return np.stack([-second, second], axis=1)
        votes, sums = np.zeros((2, len(kernel), count))
        for margin, (one, other) in zip(
            self._margins(kernel), combinations(range(count), 2), strict=True
        ):
            votes[:, one] += margin >= 0
            votes[:, other] += margin < 0
            sums[:, one] += margin
            sums[:, other] -= margin
        # The sums only part equal votes: less than 1/3 either way.
        return votes + sums / (3 * (np.abs(sums) + 1))

    def _margins(self, kernel: Float64[np.ndarray, "b s"]) -> Iterator[Float64[np.ndarray, " b"]]:
        """Above 0 where the first class of a pair wins."""
        ranges = [slice(a, b) for a, b in pairwise([0, *np.cumsum(self.counts)])]
        # Of the vectors of each class, against each other class in order.
        sums = [kernel[:, part] @ self.coefficients[:, part].T for part in ranges]
        for intercept, (one, other) in zip(
            self.intercepts, combinations(range(len(ranges)), 2), strict=True
        ):
            yield sums[one][:, other - 1] + sums[other][:, one] + intercept

    def arrays(self) -> Arrays:
        return {
            "mean": self.standardiser.mean,
            "scale": self.standardiser.scale,
            "vectors": self.vectors,
            "coefficients": self.coefficients,
            "intercepts": self.intercepts,
            "counts": self.counts,
            "gamma": np.array([self.gamma]),
        }


def read_exact(arrays: Arrays) -> Exact:
    """The machine that checked arrays describe.

    Raises:
        ModelFileError: they do not fit together.
    """
    classes, counts = len(arrays["counts"]), arrays["counts"]
    if (
        len(arrays["coefficients"]) != classes - 1
        or len(arrays["intercepts"]) != classes * (classes - 1) // 2
        or (counts < 0).any()
        or counts.sum() != len(arrays["vectors"])
    ):
        raise ModelFileError("the arrays of the SVC do not fit together", where=ARRAYS)
    return Exact(
        Standardiser.read(arrays),
        arrays["vectors"],
        arrays["coefficients"],
        arrays["intercepts"],
        counts,
        float(arrays["gamma"][0]),
    )
