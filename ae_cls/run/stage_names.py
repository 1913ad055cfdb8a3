"""Under which names the stages of a run are kept: read when the run is continued otherwise."""

from collections.abc import Mapping
from pathlib import Path

from ae_cls.store.files import read_json, write_json

STAGES = "stages.json"


def write_stage_names(folder: Path, names: Mapping[str, str]) -> None:
    """stages.json."""
    write_json(folder / STAGES, dict(names))


def read_stage_names(folder: Path) -> dict[str, str]:
    """Stage: name of its entry; empty where none had begun."""
    return {str(stage): str(name) for stage, name in read_json(folder / STAGES).items()}
