"""What stands behind a command word."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from ae_cls.cli.parser import Parser


@final
@dataclass(frozen=True)
class Command:
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
