"""The flags of the composed commands, sorted out from the other words."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ae_cls.cli.parser import Parser, Withheld
from ae_cls.errors import UsageError
from ae_cls.experiment import configs
from ae_cls.experiment.hints import same_keys
from ae_cls.experiment.recipes import spelt_out

_ROOTS = "the roots are ours; --config-dir FOLDER adds options"
_ONLY_COMPOSES = "Hydra only composes the config here; --cfg job prints it"
_STUDIES = "a study has its own arms, budgets, draws and seeds"
_WITHHELD = {
    ("--experimental-rerun",): "it would execute what a file holds",
    ("-cp", "--config-path"): _ROOTS,
    ("-cn", "--config-name"): _ROOTS,
    ("-i", "--info"): _ONLY_COMPOSES,
    ("--hydra-help",): _ONLY_COMPOSES,
}


class Words(NamedTuple):
    """What was typed behind a composed command.

    Here and in `parser` no dataclasses: they import `inspect`, a third of the time of --help.

    Attributes:
        overrides: `group=option` and `key=value`, in their order.
        folders: the user's own option folders.
        mode: the flag that asks for something else than one run, by its long name; empty for none.
        package: with --cfg, the key to print; None for all.
        resolve: with --cfg, whether to fill in interpolations.
    """

    overrides: tuple[str, ...]
    folders: tuple[Path, ...]
    mode: str
    package: str | None
    resolve: bool


def parser(command: str) -> Parser:
    """What may stand behind a composed command."""
    arguments = Parser(command, "", add_help=False)
    arguments.add_argument("words", nargs="*", metavar="WORD")
    mode = arguments.add_mutually_exclusive_group()
    if command != "study":
        mode.add_argument(
            "-m", "--multirun", action="store_true",
            help="a sweep: one job for each combination of values with commas",
        )  # fmt: skip
    mode.add_argument(
        "-c", "--cfg", choices=("job",), help="print the composed config instead of running"
    )
    mode.add_argument(
        "--explain", action="store_true",
        help="say what would be compared and how long it takes"
        if command == "study"
        else "say which stages are kept from earlier runs, and why others are not",
    )  # fmt: skip
    arguments.add_argument("-p", "--package", metavar="KEY", help="with --cfg: only this key")
    arguments.add_argument(
        "--resolve", action="store_true", help="with --cfg: with interpolations filled in"
    )
    arguments.add_argument(
        "-cd", "--config-dir", type=configs.own_folder, metavar="FOLDER",
        help="a folder with more options, laid out like configs/",
    )  # fmt: skip
    arguments.add_argument("-h", "--help", action="store_true", help="this text")
    no_sweep = {("-m", "--multirun"): _STUDIES} if command == "study" else {}
    for names, why in (_WITHHELD | no_sweep).items():
        arguments.add_argument(*names, action=Withheld, why=why)
    return arguments


def sort_words(command: str, words: Sequence[str]) -> Words:
    """The words by kind; flags may stand anywhere.

    Raises:
        UsageError: a flag is not offered, lacks its value or has a wrong one.
    """
    arguments = parser(command)
    for word in words:
        _refuse_key_as_flag(command, word, arguments)
    given = arguments.read(words, flags_anywhere=True)
    modes = [name for name in ("help", "multirun", "cfg", "explain") if getattr(given, name, False)]
    folders = () if given.config_dir is None else (given.config_dir,)
    return Words(
        spelt_out(command, given.words, folders),
        folders,
        modes[0] if modes else "",
        given.package,
        given.resolve,
    )


def _refuse_key_as_flag(command: str, word: str, arguments: Parser) -> None:
    flag, _, value = word.partition("=")
    if not flag.startswith("--") or flag in arguments.flags():
        return
    keys = same_keys(flag, configs.all_keys(command))
    if keys:
        raise UsageError(
            f"there is no flag {flag}", why="keys are written without dashes",
            fix=f"did you mean {keys[0]}={value or '...'}?",
        )  # fmt: skip
