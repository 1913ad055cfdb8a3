"""Tell the C library to keep the memory it has: training asks for the same buffers at every step.

glibc hands large buffers back to the system when they are freed, and the system clears each page
again. Keeping them made training of the default network 1.2 to 1.3 times as fast (two cores, bf16,
batch 256, median of 25 steps, three times in turn), for 3 % more memory.
"""

import ctypes
import sys

# Numbers of <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGEST_KEPT = 2**27  # bytes of one buffer; a data set or a table of features goes back at once
_MOST_KEPT = 2**31 - 1  # bytes at the end of the heap; an int in the interface


def keep_pages() -> None:
    """Do so for this process; does nothing where the C library is not glibc."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
    mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)
