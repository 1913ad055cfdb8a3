"""Commands, and an argparse parser that complains like the rest of the program."""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, final

from ae_cls.errors import UsageError, did_you_mean
from ae_cls.store.places import at_home
from ae_cls.terminal.fitted import fitted


@final
class Parser(argparse.ArgumentParser):
    """Whole flag names only; a mistake is a UsageError."""

    def __init__(
        self, command: str, summary: str, *, epilog: str = "", add_help: bool = True
    ) -> None:
        super().__init__(
            prog=f"ae-cls {command}", description=summary, epilog=epilog, allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter, add_help=add_help,
        )  # fmt: skip

    def read(self, words: Sequence[str], *, flags_anywhere: bool = False) -> argparse.Namespace:
        """What the words say.

        Args:
            words: behind the command.
            flags_anywhere: also between words of which there may be any number.

        Raises:
            UsageError: a word is unknown, missing or has a wrong value.
        """
        parse = self.parse_known_intermixed_args if flags_anywhere else self.parse_known_args
        given, unknown = parse(list(words))
        if unknown:
            name = unknown[0].partition("=")[0]
            near = did_you_mean(name, [*self._option_string_actions])
            kind = "flag" if name.startswith("-") else "word"
            raise UsageError(f"there is no {kind} {name}", fix=near or f"{self.prog} --help")
        return given

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, fix=f"{self.prog} --help")

    def format_help(self) -> str:
        return fitted(super().format_help(), sys.stdout)

    def flags(self) -> list[str]:
        """The long names of all flags."""
        return [action.option_strings[-1] for action in self.shown() if action.option_strings]

    def choices_after(self, flag: str) -> list[str] | None:
        """The only values of a flag, empty where any is allowed; None when it takes no value."""
        for action in self.shown():
            if flag in action.option_strings and action.nargs != 0:
                return [*(action.choices or [])]
        return None

    def first_choices(self) -> list[str]:
        """The only words that may stand first; empty where any may, such as a path."""
        first = next(action for action in self.shown() if not action.option_strings)
        return [*(first.choices or [])]

    def shown(self) -> list[argparse.Action]:
        """All arguments that the help text shows."""
        return [action for action in self._actions if action.help != argparse.SUPPRESS]


@final
class Withheld(argparse.Action):
    """A flag of Hydra that is refused; `const` says why."""

    def __init__(self, option_strings: Sequence[str], dest: str, why: str) -> None:
        super().__init__(option_strings, dest, nargs="?", const=why, help=argparse.SUPPRESS)

    def __call__(
        self, parser: object, namespace: object, values: Any, option_string: str | None = None
    ) -> NoReturn:
        raise UsageError(f"{option_string} is not offered", why=self.const)


class Command(NamedTuple):
    """One word of the command line.

    Attributes:
        call: carries out the words behind it; gives the exit code.
        parser: its flags and paths.
        summary: for the overview.
        is_composed: whether Hydra composes its words.
    """

    call: Callable[[Sequence[str]], int]
    parser: Callable[[], Parser]
    summary: str
    is_composed: bool = False


def add_device(parser: Parser) -> None:
    """`--device`, with the words of the key `device`."""
    parser.add_argument(
        "--device", type=_device, default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)"
    )


def home_path(word: str) -> Path:
    """A path, with the home folder for a `~` that the shell has left in front of it."""
    return Path(at_home(word))


def output_file(word: str) -> Path:
    """A file that can be written, as far as can be seen before the work."""
    path = home_path(word)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{word} is a folder, or its folder does not exist")
    return path


def _device(word: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", word):
        raise argparse.ArgumentTypeError(f"{word} is not a device; use auto, cpu, cuda or cuda:1")
    return word
