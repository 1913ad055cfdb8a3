"""How many threads this process computes on."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits
from torch import Tensor


def limit_threads(count: int) -> None:
    """Let this process compute on so many."""
    torch.set_num_threads(count)
    # NumPy's and SciPy's BLAS too: another number of threads may change the last bit.
    threadpool_limits(limits=count)


@contextmanager
def threads_limited(count: int) -> Iterator[None]:
    """So many CPU threads inside, for torch and for BLAS; as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)


def eigenvectors(
    symmetric: Float[Tensor, "n n"],
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n n"]]:
    """Eigenvalues from the lowest up, and the eigenvectors as columns; on one thread.

    On several, each of thousands of short products waits for the last of them. With six other
    programs on two cores, 960 x 960 took torch 5 s and NumPy 21 s on two threads, 0.7 s on one.
    """
    with threads_limited(1):
        return torch.linalg.eigh(symmetric)


def leading_eigenvectors(
    symmetric: Float64[np.ndarray, "n n"], count: int
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, "n k"]]:
    """The `count` largest of the same, in a third of the time where they are few of a thousand."""
    size = len(symmetric)
    with threads_limited(1):
        return eigh(symmetric, subset_by_index=(size - count, size - 1), check_finite=False)
