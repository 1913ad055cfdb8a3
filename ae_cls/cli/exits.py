"""How a command ends: one block on stderr for an error, and an exit code for scripts."""

import sys
from collections.abc import Callable, Sequence

from ae_cls.cli.interrupted import AT_ONCE, interrupted_block
from ae_cls.errors import BUG, bug_block
from ae_cls.interrupt import INTERRUPTED, TERMINATED, last_words
from ae_cls.machine.faults import as_ours
from ae_cls.terminal.streams import NoReader, finish_printing

NO_READER = 141


def guarded(work: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
    """The exit code of `work` on these words, after saying on stderr what went wrong."""
    try:
        with last_words(lambda code: complain(AT_ONCE)):
            return _carried_out(work, words)
    except KeyboardInterrupt as stop:
        complain(interrupted_block(stop, words))
        return INTERRUPTED
    except SystemExit as stop:
        complain(interrupted_block(stop, words))
        return int(stop.code or TERMINATED)
    except NoReader:
        return NO_READER
    except Exception as error:
        ours = as_ours(error)
        complain(bug_block(error) if ours is None else ours.block())
        return BUG if ours is None else ours.code
    finally:
        finish_printing()


def _carried_out(work: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
    try:
        code = work(words)
    except SystemExit as stop:
        if stop.code in (INTERRUPTED, TERMINATED):
            raise
        code = int(stop.code or 0)  # of --help
    sys.stdout.flush()
    return code


def complain(text: str) -> None:
    """Print on stderr."""
    print(text, file=sys.stderr, flush=True)
