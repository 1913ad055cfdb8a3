"""run.log: all that the program says while a run goes on."""

import logging
import os
from pathlib import Path
from typing import final

from ae_cls.store.files import cannot_write
from ae_cls.store.ours import open_to_write

_logger = logging.getLogger("ae_cls")


@final
class RunLog(logging.Handler):
    """Adds a line for each message; a line that cannot be written ends no run.

    Args:
        path: of the file, which is made, or continued.

    Raises:
        StorageError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(logging.DEBUG)
        self.failure = ""
        """Why a line could not be written; empty where all were."""
        try:
            # Without a buffer: what a full disk has refused must not wait for the file's end.
            handle = open_to_write(path, os.O_WRONLY | os.O_APPEND)
            self._file = os.fdopen(handle, "ab", buffering=0)
        except OSError as error:
            raise cannot_write(path, error) from error
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        _logger.setLevel(logging.DEBUG)
        _logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if self.failure:
            return
        try:
            # Names of files may be any bytes.
            self._file.write((self.format(record) + "\n").encode(errors="backslashreplace"))
        except OSError as error:
            self.failure = error.strerror or str(error)
            _logger.warning("run.log cannot be written: %s", self.failure)

    def close(self) -> None:
        _logger.removeHandler(self)
        self._file.close()
        super().close()
