"""Where what is kept between runs lives on this machine."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """AE_CLS_CACHE, else the user's cache folder; all in it can be made again."""
    given = os.environ.get("AE_CLS_CACHE")
    if given:
        return Path(given).expanduser()
    return platformdirs.user_cache_path("ae-cls", appauthor=False)


def shared_store() -> Path:
    """Where outputs of stages are kept for all runs of this user."""
    return cache_folder() / "stages"
