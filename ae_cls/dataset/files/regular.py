"""Files of strangers before they are opened, and lines of them before they are read whole."""

import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path

LONGEST_LINE = 2**28
"""Characters: a picture of 4096x4096 in colour has fewer."""


def refuse_special(path: Path) -> None:
    """Stop where opening would wait for a writer, or reading would never end.

    Raises:
        OSError: there is no such file.
        ValueError: it is a pipe, socket, device or folder.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is not a regular file")


def lines_of(file: io.TextIOBase) -> Iterator[str]:
    """The lines of an open file.

    Raises:
        ValueError: one of them is longer than any table has.
    """
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            raise ValueError(f"line {number} has more than {LONGEST_LINE:,} characters")
        yield line


def unzipped(content: bytes, most: int) -> bytes:
    """What was packed with gzip.

    Raises:
        ValueError: it is damaged, or larger than `most` bytes.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            found = file.read(most + 1)
    except EOFError as error:
        raise ValueError("it ends too early") from error
    except (OSError, zlib.error) as error:
        raise ValueError(str(error)) from error
    if len(found) > most:
        raise ValueError(f"unpacked it has more than {most:,} bytes")
    return found
