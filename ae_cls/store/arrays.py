"""Arrays in .npy files, written as their rows come: they may be larger than memory."""

from collections.abc import Iterable
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from numpy.lib import format as npy


def write_array(path: Path, parts: Iterable[Shaped[np.ndarray, "_ ..."]]) -> int:
    """The rows of all parts as one new file; returns how many there are.

    The file is not brought to the disk at once: one that a power cut tore is noticed by its hash
    and made again.

    Args:
        path: of the file.
        parts: at least one; of one type and, but for the number of rows, of one shape.

    Raises:
        OSError: there is no room for the file.
    """
    rest = iter(parts)
    first = next(rest)
    kind, row_shape, count = first.dtype, first.shape[1:], 0
    with path.open("xb") as file:
        # NumPy pads the header so that the number of rows can be written into it afterwards.
        file.write(npy_header(kind, (0, *row_shape)))
        for part in chain([first], rest):
            # Written, not mapped: a full disk is then an error and not the end of the process.
            file.write(np.ascontiguousarray(part).data)
            count += len(part)
        file.seek(0)
        file.write(npy_header(kind, (count, *row_shape)))
    return count


def npy_header(kind: np.dtype, shape: tuple[int, ...]) -> bytes:
    """What an .npy file of such an array in C order begins with."""
    header = BytesIO()
    npy.write_array_header_1_0(
        header, {"descr": npy.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    )
    return header.getvalue()
