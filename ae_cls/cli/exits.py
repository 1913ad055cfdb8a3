"""How a command ends: one block on stderr for an error, and an exit code for scripts."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ae_cls.cli.interrupted import AT_ONCE, interrupted_block
from ae_cls.errors import BUG, AeClsError, bug_block
from ae_cls.interrupt import INTERRUPTED, TERMINATED, last_words

NO_READER = 141


def guarded(work: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
    """The exit code of `work` on these words, after saying on stderr what went wrong."""
    try:
        with last_words(lambda code: complain(AT_ONCE)):
            code = work(words)
        sys.stdout.flush()
        return code
    except AeClsError as error:
        complain(error.block())
        return error.code
    except KeyboardInterrupt as stop:
        complain(interrupted_block(stop, words))
        return INTERRUPTED
    except SystemExit as stop:
        if stop.code not in (INTERRUPTED, TERMINATED):
            raise
        complain(interrupted_block(stop, words))
        return int(stop.code)
    except BrokenPipeError:
        _drop_stdout()
        return NO_READER
    except Exception as error:
        complain(bug_block(error))
        return BUG


def complain(text: str) -> None:
    """Print on stderr."""
    print(text, file=sys.stderr, flush=True)


def make_printing_safe() -> None:
    """Let printing never fail: neither on a closed stream nor on letters the terminal lacks."""
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere() -> io.TextIOWrapper:
    return Path(os.devnull).open("w")


def _drop_stdout() -> None:
    # Python flushes stdout once more at its end, and would complain about the pipe again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
