"""The numbers of a saved run, read without torch: what programs read of them has a type here.

metrics.json and environment.json hold more, for people.
"""

from pathlib import Path
from typing import Annotated, Any, final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ae_cls.saved.names import ENVIRONMENT
from ae_cls.saved.whole import refuse_damage
from ae_cls.store.received import MOST_PER_CLASS, checked, read_json

METRICS = "metrics.json"

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _Numbers(BaseModel):
    """May hold more keys than those that are named."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)


@final
class _ClassScore(_Numbers):
    n: Count
    recall: Share | None = None


@final
class _Scores(_Numbers):
    n: Count | None = None
    accuracy: Share
    accuracy_ci95: list[Share] = Field(min_length=2, max_length=2)
    balanced_accuracy: Share | None = None
    macro_f1: Share | None = None
    log_loss: float | None = None
    ece: float | None = None
    majority_rate: Share | None = None
    per_class: dict[str, _ClassScore] = Field(default_factory=dict)
    confusion_matrix: list[list[Count]] = Field(default_factory=list)


@final
class _Rebuilt(_Numbers):
    mse: float
    psnr: float | None = None


@final
class _Reconstruction(_Numbers):
    intact: _Rebuilt | None = None  # earlier versions did not say of which images


@final
class _Labels(_Numbers):
    count: Count


@final
class _Protocol(_Numbers):
    data_sha256: str | None = None
    split_sha256: str | None = None
    images: dict[str, Count] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    leaks: dict[str, Any] = Field(default_factory=dict)
    pretrained_on: dict[str, Any] | None = None
    labels: dict[str, Any] | None = None
    encoder_saw: str = ""
    supervised_prior: str = ""
    chosen_on: str = ""


@final
class _Encoder(_Numbers):
    weights_sha256: str


@final
class _Metrics(_Numbers):
    test: _Scores | None = None
    valid: _Scores | None = None
    reconstruction: _Reconstruction | None = None
    repeated_folds: dict[str, Any] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    labels: _Labels | None = None
    protocol: _Protocol | None = None
    encoder: _Encoder | None = None
    head: dict[str, Any] = Field(default_factory=dict)


def _as_programs_read_them(plain: dict[str, Any]) -> dict[str, Any]:
    _Metrics.model_validate(plain)
    return _without_nulls(plain)


def _without_nulls(plain: dict[str, Any]) -> dict[str, Any]:
    """Where null is allowed for a part, it means the same as no part at all."""
    parts = {name: part for name, part in plain.items() if part is not None}
    if "reconstruction" in parts:
        rebuilt = parts["reconstruction"].items()
        parts["reconstruction"] = {name: part for name, part in rebuilt if part is not None}
    return parts


Metrics = Annotated[dict[str, Any], AfterValidator(_as_programs_read_them)]
"""What metrics.json holds, as part of another file."""


@final
class _Epoch(_Numbers):
    stage: str
    seconds: float
    images_per_second: float


@final
class _Environment(_Numbers):
    versions: dict[str, str] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict)
    epochs: list[_Epoch] = Field(default_factory=list)
    test_read_by: Count = 0


def read_metrics(folder: Path) -> dict[str, Any]:
    """The metrics of a finished run; empty where there are none.

    Raises:
        ModelFileError: they are damaged.
        StorageError: they cannot be read.
    """
    refuse_damage(folder, METRICS)
    return _without_nulls(_read(folder / METRICS, _Metrics))


def read_environment(folder: Path) -> dict[str, Any]:
    """On what a run was made, and how long it took; empty where it does not say so.

    Raises:
        ModelFileError: it is damaged.
        StorageError: it cannot be read.
    """
    return _read(folder / ENVIRONMENT, _Environment)


def _read(path: Path, kind: type[BaseModel]) -> dict[str, Any]:
    plain = read_json(path, most=MOST_PER_CLASS)
    checked(plain, kind, str(path))
    return plain
