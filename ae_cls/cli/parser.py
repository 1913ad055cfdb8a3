"""An argparse parser that complains like the rest of the program."""

import argparse
import re
from pathlib import Path
from typing import NoReturn, final

from ae_cls.errors import UsageError


@final
class Parser(argparse.ArgumentParser):
    """Whole flag names only; a mistake is a UsageError."""

    def __init__(self, command: str, summary: str, *, epilog: str = "") -> None:
        super().__init__(
            prog=f"ae-cls {command}", description=summary, epilog=epilog, allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, fix=f"{self.prog} --help")

    def flags(self) -> list[str]:
        """The long names of all flags."""
        return [action.option_strings[-1] for action in self._actions if action.option_strings]


def output_file(word: str) -> Path:
    """A file that can be written, as far as can be seen before the work."""
    path = Path(word)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{word} is a folder, or its folder is not there")
    return path


def device(word: str) -> str:
    """A device word, as the key `device` takes it."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", word):
        raise argparse.ArgumentTypeError(f"{word} is none of auto, cpu, cuda, cuda:1")
    return word
