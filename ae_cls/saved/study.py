"""What a study has planned, as its folder says it."""

from pathlib import Path
from typing import Annotated, Any, final

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from ae_cls.saved.names import STUDY
from ae_cls.saved.written_by import FORMATS, read_plan
from ae_cls.store.received import MOST_PER_CLASS

_Pair = Annotated[tuple[str, str], Field(strict=False)]
_Count = Annotated[int, Field(ge=0, le=1000)]  # as study.draws may be, whoever wrote it
_RunName = Annotated[str, Field(pattern=r"^[^/\x00]*[^/\x00.][^/\x00]*$")]  # of a folder below


@final
class WrittenStudy(BaseModel):
    """study.json, as far as it is read back; it says more for people.

    Attributes:
        format: version of the file.
        ae_cls: version of ae-cls that wrote it; empty where it does not say.
        asked: the settings of the study.
        arms: by name.
        budgets: their titles.
        draws: of labels.
        repeats: of each draw.
        pretrain_epochs: of each arm's network, where all pretrain for the same time.
        cells: arm and budget of each run, by the name of its folder.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    format: int = FORMATS[0]
    ae_cls: str = ""
    asked: dict[str, Any] = Field(default_factory=dict)
    arms: dict[str, Any] = Field(default_factory=dict)
    budgets: list[str] = Field(default_factory=list)
    draws: _Count = 0
    more_draws: dict[str, _Count] = Field(default_factory=dict)
    repeats: _Count = 0
    pretrain_epochs: dict[str, PositiveInt] = Field(default_factory=dict)
    cells: dict[_RunName, _Pair] = Field(default_factory=dict)


def written_study(folder: Path) -> WrittenStudy:
    """The plan in a folder; one without anything where there is none.

    Raises:
        ModelFileError: it is damaged, or a later version wrote it.
        StorageError: it cannot be read.
    """
    try:
        return read_plan(folder / STUDY, WrittenStudy, most=MOST_PER_CLASS)
    except FileNotFoundError:
        return WrittenStudy()
