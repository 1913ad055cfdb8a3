"""The last runs and sweeps below a folder, counted back from now.

What runs leave elsewhere (`folder=`) is not found.
"""

from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ae_cls.errors import ModelFileError, StorageError, UsageError
from ae_cls.jobs.record import PLAN
from ae_cls.run.folder import read_status
from ae_cls.saved.names import DAMAGED, STATUS

_MADE_BY = ("run", "pretrain", "classify")


class Wanted(NamedTuple):
    """Which folders count.

    Attributes:
        what: for people, in the singular.
        states: of the run, as in status.json; empty: any.
        commands: that may have made it.
        marked_by: the file that such a folder has, below outputs/run.
        option: how another place is typed.
    """

    what: str
    states: tuple[str, ...] = ("finished",)
    commands: tuple[str, ...] = _MADE_BY
    marked_by: str = f"*/*/{STATUS}"
    option: str = "--outputs FOLDER"


RUN = Wanted("run", states=())
FINISHED = Wanted("finished run")
CLASSIFIED = Wanted("finished run with a classifier", commands=("run", "classify"))
# Not those of classify: the same sweep typed again would find its own jobs.
PRETRAINED = Wanted(
    "finished run that trained an encoder", commands=("run", "pretrain"), option="outputs=FOLDER"
)
SWEEP = Wanted("sweep", marked_by=f"*/{PLAN}")


def last(word: str, outputs: Path, wanted: Wanted) -> Path:
    """The folder of the last run or sweep, or of one so many before it.

    Args:
        word: latest, -1, -2, ...
        outputs: where runs leave their folders.
        wanted: which of them count.

    Raises:
        UsageError: there is no such run.
    """
    back = -int(word) if word.startswith("-") else 1
    files = (outputs / "run").glob(wanted.marked_by)
    dated = [(p.stat().st_mtime_ns, p) for p in files if not p.parent.name.startswith(DAMAGED)]
    newest = (path.parent for _, path in sorted(dated, reverse=True))
    found = list(islice((folder for folder in newest if _fits(folder, wanted)), back))
    if len(found) < back:
        there = f"are only {len(found)}" if found else "is none"
        raise UsageError(
            f"there is no such {wanted.what}", where=word,
            why=f"below {outputs / 'run'} there {there}",
            fix=f"name its folder, or another place: {wanted.option}",
        )  # fmt: skip
    return found[-1]


def _fits(folder: Path, wanted: Wanted) -> bool:
    if wanted is SWEEP:
        return True
    try:
        status = read_status(folder)
    except (ModelFileError, StorageError):
        return False  # damaged: not what anybody means
    is_in_state = not wanted.states or status["state"] in wanted.states
    return is_in_state and status.get("command") in wanted.commands
