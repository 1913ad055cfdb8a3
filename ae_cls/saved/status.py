"""How a run goes or went, as its folder says it: status.json and stages.json."""

from pathlib import Path
from typing import Annotated, Literal, final

from pydantic import Field, RootModel

from ae_cls.saved.names import STAGES, STATUS
from ae_cls.saved.whole import read_sealed
from ae_cls.settings import Settings
from ae_cls.store.lock import WrittenOwner
from ae_cls.store.manifest import refuse_other_format
from ae_cls.store.received import checked, json_object, read_bytes

_StageName = Annotated[str, Field(pattern=r"^[a-z]+(\.[a-z]+)*$")]
_EntryName = Annotated[str, Field(pattern=r"^[0-9a-f]{32,64}$")]


@final
class Status(Settings):
    """status.json.

    Attributes:
        format: version of what the folder says of the run; 2 where it does not say it.
        state: that was written last; a run that says `running` may have died.
        stage: which it is in, or was in when it ended before its time.
        owner: the process that it belongs to while it runs.
        code: the exit code of a run that has not finished.
        reason: why it has not; `where` and `why` say more, as in the message.
        command: that made it.
        encoder: the run whose encoder it classifies with, if another.
        config_sha256: which config.json the run was begun with, from the beginning on; more than
            one where it was continued in other words.
        may_be_other_data: whether its data may be others than those of that run.
    """

    format: int = 2
    state: Literal["running", "finished", "failed", "interrupted"]
    stage: str = ""
    owner: WrittenOwner | None = None
    code: int | None = None
    reason: str = ""
    where: str = ""
    why: str = ""
    command: str = ""
    encoder: str | None = None
    config_sha256: list[str] = Field(default_factory=list)
    may_be_other_data: bool = False


@final
class _Stages(RootModel[dict[_StageName, _EntryName]]):
    """stages.json: what each stage is kept under; the names lead to folders."""


def written_status(run: Path) -> Status | None:
    """What status.json says; None where there is none.

    Raises:
        ModelFileError: it is damaged.
        StorageError: it cannot be read.
    """
    try:
        plain = json_object(read_bytes(run / STATUS), str(run / STATUS))
    except FileNotFoundError:
        return None
    refuse_other_format(plain, str(run / STATUS))
    return checked(plain, Status, str(run / STATUS))


def is_finished(run: Path) -> bool:
    """Whether it says that the run has finished.

    Raises:
        ModelFileError: it is damaged.
        StorageError: it cannot be read.
    """
    status = written_status(run)
    return status is not None and status.state == "finished"


def written_stages(run: Path) -> dict[str, str]:
    """The name of each stage's entry in the store; empty where nothing is known.

    Raises:
        ModelFileError: stages.json is damaged.
        StorageError: it cannot be read.
    """
    return checked(read_sealed(run / STAGES), _Stages, str(run / STAGES)).root
