"""Versions of packages, each looked up once: a look takes 10 ms, and a run needs twenty."""

from functools import cache
from importlib import metadata


@cache
def version(package: str) -> str:
    return metadata.version(package)
