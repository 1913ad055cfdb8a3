"""Standard output and standard error as a command finds them: full, closed, of few letters."""

import io
import os
import select
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from ae_cls.errors import StorageError


@final
class NoReader(Exception):
    """Whoever read standard output, such as `head`, has gone."""


def make_printing_safe() -> None:
    """Let printing fail as an error of ours only, and never on letters that a stream lacks.

    What cannot be said on standard error is lost: no result depends on it.
    """
    _occupy_standard_handles()
    sys.stdout, sys.stderr = _safe(sys.stdout, _Results), _safe(sys.stderr, _Words)


def finish_printing() -> None:
    """Write what is left; what could not be written has been said before."""
    with suppress(NoReader, StorageError):
        sys.stdout.flush()


@final
class _Results(io.FileIO):
    """Standard output; after the first failure nothing more is written, as rows would be lost."""

    has_failed = False

    def write(self, content: Any, /) -> int | None:
        if self.has_failed:
            return memoryview(content).nbytes
        try:
            while (written := super().write(content)) is None:  # somebody lets it not wait
                select.select([], [self], [])
            return written
        except OSError as error:
            self.has_failed = True
            if isinstance(error, BrokenPipeError):
                raise NoReader from error
            raise StorageError(
                "standard output cannot be written", why=error.strerror or str(error),
                fix="redirect it elsewhere; files that the command wrote are complete",
            ) from error  # fmt: skip


@final
class _Words(io.FileIO):
    """Standard error."""

    def write(self, content: Any, /) -> int | None:
        with suppress(OSError):
            return super().write(content)
        return memoryview(content).nbytes


def _safe(stream: Any, kind: type[_Results] | type[_Words]) -> Any:
    if stream is None:
        return Path(os.devnull).open("w")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        raw = kind(stream.fileno(), "w", closefd=False)
    except io.UnsupportedOperation:  # held in memory, as tests do
        stream.reconfigure(errors="backslashreplace")
        return stream
    # Where Python is asked to hold nothing back (PYTHONUNBUFFERED, as in many containers), a stream
    # writes through and is not line-buffered; here a buffer follows, which holds lines back.
    whole_lines = stream.line_buffering or stream.write_through
    return io.TextIOWrapper(
        io.BufferedWriter(raw), stream.encoding, "backslashreplace", line_buffering=whole_lines
    )


def _occupy_standard_handles() -> None:
    """Or the next file that is opened would take the place of a closed stream, and its text."""
    handle = os.open(os.devnull, os.O_RDWR)
    while handle <= 2:
        handle = os.open(os.devnull, os.O_RDWR)
    os.close(handle)
