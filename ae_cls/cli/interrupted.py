"""What is said where Ctrl-C or SIGTERM has ended a command: what was saved, and what to type."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from ae_cls.errors import AeClsError, printable
from ae_cls.interrupt import TERMINATED

AT_ONCE = "ended at once; the same command again goes on from what was saved last"
"""Said where nothing else could be found out."""


def interrupted_block(stop: KeyboardInterrupt | SystemExit, words: Sequence[str]) -> str:
    """The lines to print.

    Args:
        stop: a note of it names the folder of the run, sweep or search, where it had one.
        words: of the command line, behind `ae-cls`.
    """
    is_term = isinstance(stop, SystemExit) and stop.code == TERMINATED
    folders: list[str] = getattr(stop, "__notes__", [])
    try:
        saved, to_type = _left(Path(folders[0])) if folders else ("nothing", "")
    except AeClsError as error:
        saved, to_type = f"unknown: {error.what} {error.where}", ""
    to_type = to_type or shlex.join(["ae-cls", *words])
    block = f"{'terminated' if is_term else 'interrupted'}\n  saved  {saved}\n  next   {to_type}"
    return printable(block)


def _left(folder: Path) -> tuple[str, str]:
    from ae_cls.jobs.left import saved_in  # here, as it takes time to import

    return saved_in(folder)
