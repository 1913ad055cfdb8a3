"""Where data sets and caches live on this machine."""

import os
from pathlib import Path

import platformdirs


def data_folder(root: str | None) -> Path:
    """`root` where one is given, else AE_CLS_DATA, else the user's data folder."""
    given = os.environ.get("AE_CLS_DATA") if root is None else root
    if given:
        return Path(given).expanduser()
    return platformdirs.user_data_path("ae-cls", appauthor=False)


def cache_folder() -> Path:
    """AE_CLS_CACHE, else the user's cache folder; all in it can be made again."""
    given = os.environ.get("AE_CLS_CACHE")
    if given:
        return Path(given).expanduser()
    return platformdirs.user_cache_path("ae-cls", appauthor=False)


def shared_store() -> Path:
    """Where outputs of stages are kept for all runs of this user."""
    return cache_folder() / "stages"
