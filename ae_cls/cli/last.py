"""`latest`, `-1`, `-2`, ...: the last runs by name, wherever the folder of a run is asked for.

A folder that is really called so comes first.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ae_cls.cli.exits import complain
from ae_cls.cli.parser import Parser, home_path
from ae_cls.errors import printable

if TYPE_CHECKING:
    from ae_cls.jobs.last import Wanted

LATEST = "latest"
OUTPUTS = "outputs"
"""As configs/common.yaml says; not read from there, as that takes time."""


def add_run(parser: Parser, name: str, meaning: str) -> None:
    """An argument for the folder of a run, and where `latest` is looked for."""
    parser.add_argument(
        name, type=home_path, metavar=name.upper(), help=f"{meaning}; or latest, -1, -2 ..."
    )
    add_outputs(parser)


def add_outputs(parser: Parser) -> None:
    parser.add_argument(
        "--outputs", type=home_path, metavar="FOLDER", default=Path(OUTPUTS),
        help=f"where latest, -1, -2 ... are looked for (default: {OUTPUTS})",
    )  # fmt: skip


def named(word: Path, outputs: Path, wanted: "Wanted") -> Path:
    """The folder that was typed, or that of the last run or sweep but so many.

    Raises:
        UsageError: there is no such run.
    """
    if not _is_name(str(word)):
        return word
    from ae_cls.jobs.last import last  # here and below, as it takes time to import

    found = last(str(word), outputs, wanted)
    complain(printable(f"{word} is {found}"))
    return found


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
    from ae_cls.jobs.last import PRETRAINED

    outputs = _outputs_of(words)
    runs = (named(Path(one), outputs, PRETRAINED) for one in value.split(","))
    return f"{key}{equals}{','.join(map(str, runs))}"


def _outputs_of(words: Sequence[str]) -> Path:
    given = [word.partition("=")[2] for word in words if word.lstrip("+").startswith("outputs=")]
    return home_path(given[-1].strip("'\"")) if given else Path(OUTPUTS)


def _is_name(word: str) -> bool:
    return bool(re.fullmatch(rf"{LATEST}|-[1-9]\d*", word)) and not Path(word).exists()
