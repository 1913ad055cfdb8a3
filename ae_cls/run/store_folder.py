"""Where the outputs of a run's stages are kept."""

from pathlib import Path

from ae_cls.experiment.common import StagedKeys
from ae_cls.store.places import shared_store


def store_folder(described: StagedKeys, folder: Path) -> Path:
    """As the run in this folder was told."""
    return shared_store() if described.store == "shared" else folder / "stages"
