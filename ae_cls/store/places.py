"""Where outputs are kept between runs on this machine."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """AE_CLS_CACHE, else the user's cache folder; everything in it can be made again."""
    given = os.environ.get("AE_CLS_CACHE")
    if given:
        return Path(given).expanduser()
    return platformdirs.user_cache_path("ae-cls", appauthor=False)


def shared_store() -> Path:
    """Where the outputs of stages are kept for all runs of this user."""
    return cache_folder() / "stages"
