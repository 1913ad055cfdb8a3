"""Where things lie on this machine: a home folder, and outputs that are kept between runs."""

import os
from contextlib import suppress
from pathlib import Path


def at_home(path: str) -> str:
    """The path as it was typed, with the home folder for a `~` in front of it.

    That of a user who is not known here stays as it is.
    """
    if not path.startswith("~"):
        return path
    with suppress(RuntimeError):
        return str(Path(path).expanduser())
    return path


def cache_folder() -> Path:
    """AE_CLS_CACHE, else the user's cache folder; all but the count of looks can be made again."""
    given = os.environ.get("AE_CLS_CACHE")
    if given:
        return Path(at_home(given))
    import platformdirs  # here, as it takes a sixth of the time of --help

    return platformdirs.user_cache_path("ae-cls", appauthor=False)


def shared_store() -> Path:
    """Where the outputs of stages are kept for all runs of this user."""
    return cache_folder() / "stages"
