"""Names of files are UTF-8 in every locale, so that what is written of them is always the same."""

import os
import sys
from contextlib import suppress


def begin_again_in_utf8() -> None:
    """Start this process anew in Python's UTF-8 mode, unless it takes names for UTF-8 already.

    Under LC_ALL=C with PYTHONUTF8=0, or in an older locale, a folder called ä would give a class of
    another name, and a table that lists files as UTF-8 would find none of them. What is printed
    keeps the encoding of the terminal.
    """
    # The second condition ends what `python -X utf8=0` would make a loop.
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    os.environ["PYTHONUTF8"] = "1"  # also of the processes that this one will start
    if sys.stdout:
        os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
    with suppress(OSError):
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606
