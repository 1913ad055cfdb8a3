"""How often the test part of a data set was read on this machine: a line each time, never removed.

Whoever tries many settings and keeps the one with the best test score keeps luck with it; this
counts the tries. It says nothing of reads elsewhere. It lies beside the outputs of stages, so that
`ae-cls cache prune` leaves it alone.
"""

import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ae_cls.errors import ModelFileError, StorageError, printable
from ae_cls.store.places import cache_folder
from ae_cls.store.received import MOST_PER_CLASS, json_object, read_bytes

log = logging.getLogger(__name__)


def note_read(test_part: str, by: str) -> None:
    """Add a line; a place that cannot be written costs a warning, not the run.

    Args:
        test_part: hash of its images.
        by: hash of what reads it; the same again is no further look, as it says nothing new.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"by": by, "at": now}) + "\n"
    try:
        _place(test_part).parent.mkdir(parents=True, exist_ok=True)
        # One write of one short line at the end of the file: whole, also beside other processes.
        with _place(test_part).open("ab", buffering=0) as file:
            file.write(line.encode())
            os.fsync(file.fileno())
    except OSError as error:
        log.warning("the reading of the test part could not be recorded: %s", printable(str(error)))


def readers(test_part: str) -> int:
    """How many different runs have read it; 0 where nothing is known."""
    return len(set(_readers(test_part)))


def reads(test_part: str) -> int:
    """How often it was read, by whichever runs; 0 where nothing is known."""
    return len(list(_readers(test_part)))


def _readers(test_part: str) -> Iterator[str]:
    try:
        lines = read_bytes(_place(test_part), most=MOST_PER_CLASS).splitlines()
    except (OSError, ModelFileError, StorageError):
        return
    for line in lines:
        try:
            yield str(json_object(line, "")["by"])
        except (ModelFileError, KeyError):
            continue  # a line that a kill or a full disk cut short


def _place(test_part: str) -> Path:
    return cache_folder() / "test_reads" / f"{test_part}.jsonl"
