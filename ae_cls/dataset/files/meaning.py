"""What the numbers in arrays of images mean: taken without doubt, or refused with a fix.

Asked of all arrays of a file together: a test part of dark images is no other scale.
"""

from collections.abc import Sequence

import numpy as np

from ae_cls.dataset.files.npz_file import ImageArray
from ae_cls.dataset.range_in_use import LEAST_SHARE, number_text

_WHITE = 255


def refuse_unclear(arrays: Sequence[ImageArray]) -> None:
    """Refuse images that are neither bytes, nor bool, nor floats from 0 to 1, nor integers to 255.

    Args:
        arrays: all of a file; integers other than uint8 and floats are read whole, once.

    Raises:
        DataError: with the range in use, and what to type in Python before saving them again.
    """
    for kind, taken in (("f", _is_unit), ("iu", _is_like_bytes)):
        unsure = [array for array in arrays if array.dtype.kind in kind and array.dtype != np.uint8]
        if not unsure:
            continue
        lows, highs = zip(*(array.extremes() for array in unsure), strict=True)
        low, high = min(lows), max(highs)
        if not taken(low, high):
            raise unsure[0].wrong(
                f"it holds {unsure[0].dtype} from {number_text(low)} to {number_text(high)}; "
                "images are uint8, integers that use 0 to 255, bool, or floats from 0 to 1",
                "\n".join(f"{array.name} = {_scaled(array, low, high)}" for array in unsure),
            )
    for array in arrays:
        if array.dtype.kind not in "biuf":
            raise array.wrong(f"it holds {array.dtype}; images are numbers")


def _is_unit(low: float, high: float) -> bool:
    return low >= 0 and high <= 1


def _is_like_bytes(low: float, high: float) -> bool:
    # Of 0 and 1, or 0 to 16, nobody knows whether the largest is white or nearly black.
    return low >= 0 and LEAST_SHARE * (_WHITE + 1) <= high <= _WHITE


def _scaled(array: ImageArray, low: float, high: float) -> str:
    """A Python expression that gives uint8, by what ranges commonly mean."""
    name = array.name
    is_float = array.dtype.kind == "f"
    if is_float and -1 <= low < 0 and high <= 1:
        return f"(({name} + 1) * 127.5).round().astype('uint8')"
    if is_float and low >= 0 and LEAST_SHARE * (_WHITE + 1) <= high <= _WHITE:
        return f"{name}.round().astype('uint8')"
    if not is_float and low >= 0 and LEAST_SHARE * 65536 <= high <= 65535:
        return f"({name} / 257).round().astype('uint8')"
    if min(low, 0) == high:
        return f"numpy.zeros({name}.shape, 'uint8')  # all numbers are {number_text(low)}"
    if (low, high) == (0, 1):
        return f"({name} * 255.0).astype('uint8')"
    start = min(low, 0)
    moved = f"({name}.astype('float64') + {number_text(-start)})" if start else name
    return f"({moved} * (255 / {number_text(high - start)})).round().astype('uint8')"
