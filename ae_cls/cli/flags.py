"""The flags behind `ae-cls run`, sorted out from the other words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ae_cls.cli.nearest import did_you_mean
from ae_cls.errors import UsageError
from ae_cls.experiment import configs


@final
@dataclass(frozen=True)
class Flag:
    """A flag that is offered.

    Attributes:
        names: short, then long.
        what: for the help text.
        value: name of its value; empty when it has none.
        choices: the only values allowed; empty when any is.
    """

    names: tuple[str, ...]
    what: str
    value: str = ""
    choices: tuple[str, ...] = ()


FLAGS = (
    Flag(("-m", "--multirun"), "a sweep: one job for each combination of values with commas"),
    Flag(
        ("-c", "--cfg"), "print the composed config instead of running", "PART",
        ("job", "hydra", "all"),
    ),
    Flag(("-p", "--package"), "with --cfg: only this key", "KEY"),
    Flag(("--resolve",), "with --cfg: with interpolations filled in"),
    Flag(
        ("-i", "--info"), "print where configs are found, or how they were composed", "WHAT",
        ("searchpath", "defaults", "defaults-tree", "config", "plugins", "all"),
    ),
    Flag(("-cd", "--config-dir"), "a folder with more options, laid out like configs/", "FOLDER"),
    Flag(("--explain",), "say which stages are kept from earlier runs, and why others are not"),
    Flag(("--hydra-help",), "what Hydra itself can be told"),
    Flag(("-h", "--help"), "this text"),
)  # fmt: skip
"""The flags of Hydra that are offered. By allow-list: argparse takes shortened names too."""

_WITHHELD = {
    "--experimental-rerun": "it would execute what a file holds",
    "--config-path": "the roots are ours; --config-dir FOLDER adds options",
    "-cp": "the roots are ours; --config-dir FOLDER adds options",
    "--config-name": "the roots are ours; --config-dir FOLDER adds options",
    "-cn": "the roots are ours; --config-dir FOLDER adds options",
}
_BY_NAME = {name: flag for flag in FLAGS for name in flag.names}
_MODES = ("--multirun", "--cfg", "--info", "--explain")
SEARCH_WORD = "hydra/sweeper=optuna"
_OURS = ("--explain",)


@final
@dataclass(frozen=True)
class Words:
    """What was typed, in two piles.

    Attributes:
        flags: long names, each with its value, or an empty string.
        overrides: all other words, in their order.
    """

    flags: dict[str, str]
    overrides: list[str]

    @property
    def config_folders(self) -> list[Path]:
        """Where options are looked for: ours, then the user's."""
        own = self.flags.get("--config-dir")
        return [configs.config_folder(), *([Path(own)] if own else [])]

    def flag_words(self) -> list[str]:
        """The flags of Hydra as they are typed."""
        pairs = [pair for pair in self.flags.items() if pair[0] not in _OURS]
        return [word for pair in pairs for word in pair if word]


def sort_words(words: Sequence[str]) -> Words:
    """Flags may stand on either side of overrides; Hydra 1.3 wants them first.

    Raises:
        UsageError: a flag is not offered, lacks its value or has a wrong one.
    """
    flags: dict[str, str] = {}
    overrides: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            overrides.append(word)
            continue
        name, equals, value = word.partition("=")
        flag = _known_flag(name)
        if flag.value and not equals:
            value = rest.pop(0) if rest else ""
        _refuse_wrong_value(flag, name, value)
        flags[flag.names[-1]] = value
    _refuse_two_modes(flags)
    return Words(flags, overrides)


def _known_flag(name: str) -> Flag:
    if name in _WITHHELD:
        raise UsageError(f"{name} is not offered", why=_WITHHELD[name])
    if name not in _BY_NAME:
        raise UsageError(
            f"there is no flag {name}",
            fix=did_you_mean(name, list(_BY_NAME)) or "ae-cls run --help",
        )
    return _BY_NAME[name]


def _refuse_wrong_value(flag: Flag, name: str, value: str) -> None:
    if value and not flag.value:
        raise UsageError(f"{name} takes no value", where=f"{name}={value}")
    if flag.value and (not value or (flag.choices and value not in flag.choices)):
        choices = ", ".join(flag.choices) or flag.value
        raise UsageError(f"{name} wants a value", where=f"{name} {value}".strip(), fix=choices)


def _refuse_two_modes(flags: dict[str, str]) -> None:
    given = [mode for mode in _MODES if mode in flags]
    if len(given) > 1:
        raise UsageError("these flags exclude one another", where=" ".join(given))
