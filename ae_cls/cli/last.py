"""`latest`, `-1`, `-2`, ...: the last runs by name, wherever the folder of a run is asked for.

A folder that is really called so comes first. What runs leave elsewhere (`folder=`) is not found.
"""

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ae_cls.cli.exits import complain
from ae_cls.cli.parser import Parser, home_path
from ae_cls.errors import ModelFileError, StorageError, UsageError, printable

LATEST = "latest"
OUTPUTS = "outputs"
"""As configs/common.yaml says; not read from there, as that takes time."""

_NAME = re.compile(rf"{LATEST}|-[1-9]\d*")
_MADE_BY = ("run", "pretrain", "classify")


class Wanted(NamedTuple):
    """Which runs count.

    Attributes:
        what: for people, in the singular.
        states: of the run, as in status.json; empty: any.
        commands: that may have made it.
    """

    what: str
    states: tuple[str, ...]
    commands: tuple[str, ...]


RUN = Wanted("run", (), _MADE_BY)
FINISHED = Wanted("finished run", ("finished",), _MADE_BY)
CLASSIFIED = Wanted("finished run with a classifier", ("finished",), ("run", "classify"))
# Not those of classify: the same sweep typed again would find its own jobs.
PRETRAINED = Wanted("finished run that trained an encoder", ("finished",), ("run", "pretrain"))
SWEEP = "sweep"


def add_run(parser: Parser, name: str, meaning: str) -> None:
    """An argument for the folder of a run, and where `latest` is looked for."""
    parser.add_argument(
        name, type=home_path, metavar=name.upper(), help=f"{meaning}; or latest, -1, -2 ..."
    )
    add_outputs(parser)


def add_outputs(parser: Parser) -> None:
    """`--outputs`."""
    parser.add_argument(
        "--outputs", type=home_path, metavar="FOLDER", default=Path(OUTPUTS),
        help=f"where latest, -1, -2 ... are looked for (default: {OUTPUTS})",
    )  # fmt: skip


def named_run(word: Path, outputs: Path, wanted: Wanted) -> Path:
    """The folder that was typed, or that of the last run but so many.

    Raises:
        UsageError: there is no such run.
    """
    if not _is_name(str(word)):
        return word
    from ae_cls.saved.names import STATUS

    return _picked(str(word), _newest(outputs, f"*/*/{STATUS}"), outputs, wanted)


def named_sweep(word: Path, outputs: Path) -> Path:
    """The folder that was typed, or that of the last sweep or search but so many.

    Raises:
        UsageError: there is no such sweep.
    """
    if not _is_name(str(word)):
        return word
    from ae_cls.jobs.record import PLAN

    return _picked(str(word), _newest(outputs, f"*/{PLAN}"), outputs, None)


def with_last_runs(words: Sequence[str]) -> tuple[str, ...]:
    """The words of a composed command, with a folder behind `encoder=` for each name of a run.

    Raises:
        UsageError: there is no such run.
    """
    return tuple(_with_last_run(word, words) for word in words)


def _with_last_run(word: str, words: Sequence[str]) -> str:
    key, equals, value = word.partition("=")
    if key.lstrip("+") != "encoder" or not any(map(_is_name, value.split(","))):
        return word
    outputs = _outputs_of(words)
    runs = (named_run(Path(one), outputs, PRETRAINED) for one in value.split(","))
    return f"{key}{equals}{','.join(map(str, runs))}"


def _outputs_of(words: Sequence[str]) -> Path:
    from ae_cls.store.places import at_home

    given = [word.partition("=")[2] for word in words if word.lstrip("+").startswith("outputs=")]
    return Path(at_home(given[-1].strip("'\""))) if given else Path(OUTPUTS)


def _is_name(word: str) -> bool:
    return bool(_NAME.fullmatch(word)) and not Path(word).exists()


def _newest(outputs: Path, marked_by: str) -> list[Path]:
    """The folders below `outputs` with such a file, the last written first."""
    from ae_cls.saved.names import DAMAGED

    found = (outputs / "run").glob(marked_by)
    files = [(p.stat().st_mtime_ns, p) for p in found if not p.parent.name.startswith(DAMAGED)]
    return [path.parent for _, path in sorted(files, reverse=True)]


def _picked(word: str, folders: Sequence[Path], outputs: Path, wanted: Wanted | None) -> Path:
    place = 1 if word == LATEST else -int(word)
    fitting = (folder for folder in folders if wanted is None or _fits(folder, wanted))
    found = list(islice(fitting, place))
    what = wanted.what if wanted else SWEEP
    if len(found) < place:
        there = f"are only {len(found)}" if found else "is none"
        option = "outputs=FOLDER" if wanted is PRETRAINED else "--outputs FOLDER"
        raise UsageError(
            f"there is no such {what}", where=word, why=f"below {outputs / 'run'} there {there}",
            fix=f"name its folder, or another place: {option}",
        )  # fmt: skip
    complain(printable(f"{word} is {found[-1]}"))
    return found[-1]


def _fits(folder: Path, wanted: Wanted) -> bool:
    from ae_cls.run.folder import read_status

    try:
        status = read_status(folder)
    except (ModelFileError, StorageError):
        return False  # damaged: not what anybody means
    is_in_state = not wanted.states or status["state"] in wanted.states
    return is_in_state and status.get("command") in wanted.commands
