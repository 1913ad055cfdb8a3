"""Waiting for other machines, never for ever."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST = 60.0  # seconds without a byte; what is slower than that is down


@contextmanager
def bounded_waits() -> Iterator[None]:
    """Within it, who connects or reads from a socket waits so long for an answer, and no longer.

    For the libraries that download without a limit of their own, as torchvision does.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_LONGEST)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
