"""The one way a file appears: whole, or not at all."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from ae_cls.errors import StorageError
from ae_cls.machine.faults import room_for
from ae_cls.store.ours import temporary_name
from ae_cls.store.received import opened


def publish(path: Path, content: bytes) -> None:
    """Write `content` under a unique temporary name, flush it to disk, then rename it to `path`.

    Raises:
        StorageError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    publish_written(path, lambda file: file.write(content))


def publish_written(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """As `publish`, of what `write` puts into the open file: it need not fit in memory."""
    try:
        _publish(path, write)
    except OSError as error:
        raise cannot_write(path, error) from error


def _publish(path: Path, write: Callable[[BinaryIO], object]) -> None:
    temporary = path.with_name(temporary_name())
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Write the names in a folder to the disk.

    Raises:
        OSError: the folder cannot be opened.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(path: Path, error: OSError) -> StorageError:
    """The error for a path that cannot be written."""
    why = error.strerror or str(error)
    return StorageError("cannot write", where=str(path), why=why, fix=room_for(error.errno))


def write_json(path: Path, value: Any) -> None:
    """Publish `value` as JSON that every strict parser reads: no NaN, keys as they are."""
    publish(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """`value` as strict JSON, for people to read.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    # A file's name may be any bytes: Python's escape of what is not UTF-8 is JSON's own.
    return (text + "\n").encode(errors="backslashreplace")


def sha256(content: bytes) -> str:
    """The hash that manifests record."""
    return hashlib.sha256(content).hexdigest()


def file_sha256(path: Path) -> str:
    """The hash of a regular file of any size.

    Raises:
        OSError, StorageError: it cannot be read.
        ModelFileError: it is no regular file.
    """
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def linked_sha256(path: Path) -> str:
    """As `file_sha256`, of the file that a link leads to: a user's data may consist of links.

    Raises:
        OSError, StorageError: it cannot be read.
        ModelFileError: it is no regular file.
    """
    return file_sha256(Path(os.path.realpath(path)))


def row_hashes_of(table: Path) -> Path:
    """Where the hashes of a table's rows are, if there are any."""
    return table.with_name(table.name + ".sha256")
