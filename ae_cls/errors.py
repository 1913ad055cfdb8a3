"""Errors the user can fix; each kind has its exit code."""

import re
import shlex
from abc import ABC
from collections.abc import Sequence
from typing import ClassVar, final

BUG, IN_PART = 1, 8
"""Exit codes of what no user can mend, and of a sweep in which some jobs did not finish."""


class AeClsError(Exception, ABC):
    """Something the user can fix. `code` is the exit code of the process.

    Args:
        what: what failed, one line without a full stop.
        where: the key, file or row.
        why: the reason, where `what` does not say it already.
        fix: a command or a key that fixes it.
    """

    code: ClassVar[int]

    def __init__(self, what: str, *, where: str = "", why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.why, self.fix = what, where, why, fix

    def __str__(self) -> str:
        return self.block()

    def block(self) -> str:
        """The whole message as it stands on the terminal, without empty lines."""
        lines = [f"error[{self.code}] {printable(self.what)}"]
        for title in ("where", "why", "fix"):
            text = printable(getattr(self, title)).replace("\n", "\n" + " " * 9)
            if text:
                lines.append(f"  {title:<5}  {text}")
        return "\n".join(lines)


def printable(text: str) -> str:
    """`text` with control characters escaped: names of files and classes are strangers' bytes."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def some(texts: Sequence[str], most: int = 10) -> list[str]:
    """The first of them and, as the last element, how many more there are."""
    more = len(texts) - most
    return [*texts[:most], f"and {more} more"] if more > 0 else list(texts)


@final
class UsageError(AeClsError):
    """The command line or the config cannot be carried out."""

    code = 2


def mistakes_in_config(lines: Sequence[str], fix: str) -> UsageError:
    """All mistakes as one error, a line each."""
    what = "mistake in the config" if len(lines) == 1 else f"{len(lines)} mistakes in the config"
    return UsageError(what, where="\n".join(lines), fix=fix)


@final
class DataError(AeClsError):
    """Images or labels are missing, unreadable or do not fit together."""

    code = 3


@final
class TrainingError(AeClsError):
    """Training failed: a non-finite loss, memory, a lost worker."""

    code = 4


@final
class ModelFileError(AeClsError):
    """A saved model or encoder is damaged, is another one, or is not to be trusted."""

    code = 5


@final
class StorageError(AeClsError):
    """A place cannot be written: full, read-only, not permitted."""

    code = 6


@final
class BusyError(AeClsError):
    """A folder belongs to a process that is still running."""

    code = 7


def bug_block(error: Exception) -> str:
    """What is said of an error of ours; its notes name the run folder, which has the log."""
    import traceback  # here, as few commands need it

    folders = getattr(error, "__notes__", [])
    what = printable(f"{type(error).__name__}: {error}")
    head = f"error[{BUG}] {what}\n  why    this is a bug in ae-cls"
    if folders:
        return f"{head}; the traceback is in {printable(folders[0])}/run.log"
    return "\n".join([head, "".join(traceback.format_exception(error)).rstrip()])


def typed(key: str, value: object) -> str:
    """The word `key=value` as a shell takes it, with the quotes that keep a text a text."""
    text = str(value)
    if re.fullmatch(r"\.{0,2}[A-Za-z/~][\w./~-]*", text, re.ASCII) and text.lower() not in _NO_TEXT:
        return f"{key}={text}"
    # Within quotes only a quote, and backslashes before one, have a meaning of their own.
    inner = re.sub(r'(\\*)("|$)', lambda found: found[1] * 2 + ('\\"' if found[2] else ""), text)
    return shlex.quote(f'{key}="{inner}"')


_NO_TEXT = {"null", "true", "false", "yes", "no", "on", "off", "nan", "inf"}


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The nearest known word as a question; empty when none is near."""
    import difflib  # here, as few commands need it

    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else ""
