"""Log lines on stderr; results alone go to stdout."""

import logging
import sys
from contextlib import suppress
from typing import final

from tqdm import tqdm

from ae_cls.errors import printable
from ae_cls.terminal.fitted import fitted


def log_to_stderr() -> None:
    """Show what the program says while it works, from INFO upwards."""
    logger = logging.getLogger("ae_cls")
    logger.setLevel(logging.DEBUG)  # a run folder's log takes all
    if not any(isinstance(handler, _Lines) for handler in logger.handlers):
        logger.addHandler(_Lines(logging.INFO))


@final
class _Lines(logging.Handler):
    """Plain lines that do not tear a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        title = "warning: " if record.levelno == logging.WARNING else ""
        text = fitted(title + printable(record.getMessage()), sys.stderr)
        with suppress(OSError):  # full: no result depends on what is said
            tqdm.write(text, file=sys.stderr)
