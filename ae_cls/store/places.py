"""Where the outputs of stages are kept."""

from pathlib import Path

from ae_cls.dataset.places import cache_folder
from ae_cls.described import Staged

STAGES = "stages"


def shared_store() -> Path:
    """For all runs of this user."""
    return cache_folder() / STAGES


def store_folder(described: Staged, folder: Path) -> Path:
    """As the run in this folder was told."""
    return shared_store() if described.store == "shared" else folder / STAGES
