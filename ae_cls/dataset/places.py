"""Where data sets are on this machine."""

import os
from pathlib import Path

import platformdirs


def data_folder(root: str | None) -> Path:
    """`root` if one is given, else AE_CLS_DATA, else the user's data folder."""
    given = os.environ.get("AE_CLS_DATA") if root is None else root
    if given:
        return Path(given).expanduser()
    return platformdirs.user_data_path("ae-cls", appauthor=False)
