"""config.json of a run, read without torch: what tells runs apart has a type here.

The whole of it is read by `experiment.read`, with all that it may hold.
"""

from pathlib import Path
from typing import Any, final

from pydantic import BaseModel, ConfigDict, Field

from ae_cls.saved.names import CONFIG
from ae_cls.store.received import checked, read_json


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)


@final
class _Dataset(_Part):
    name: str
    about: dict[str, str] = Field(default_factory=dict)


@final
class _Labels(_Part):
    per_class: int | None
    count: int | None
    fraction: float | None
    draw: int | None


@final
class _Named(_Part):
    name: str


@final
class _Config(_Part):
    seed: int
    dataset: _Dataset
    labels: _Labels
    autoencoder: _Named
    pretrain: _Named
    encode: _Named
    head: _Named


def read_config(folder: Path) -> dict[str, Any]:
    """The settings of a run that classified.

    Raises:
        ModelFileError: they are damaged, or missing.
        StorageError: they cannot be read.
    """
    plain = read_json(folder / CONFIG)
    checked(plain, _Config, str(folder / CONFIG))
    return plain
