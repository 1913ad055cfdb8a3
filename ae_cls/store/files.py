"""The one way a file appears: whole, or not at all."""

import errno
import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

from ae_cls.errors import StorageError


def publish(path: Path, content: bytes) -> None:
    """Write `content` under a unique temporary name, flush it to disk, then rename it to `path`.

    Raises:
        StorageError: the place is full, read-only or not permitted; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # Windows cannot open a folder
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(path: Path, error: OSError) -> StorageError:
    """The error for a place that cannot be written."""
    full = error.errno == errno.ENOSPC
    fix = "free some space" if full else "choose another place"
    return StorageError("cannot write", where=str(path), why=error.strerror or str(error), fix=fix)


def write_json(path: Path, value: Any) -> None:
    """Publish `value` as JSON that every strict parser reads: no NaN, keys as they are."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    publish(path, (text + "\n").encode())


def sha256(content: bytes) -> str:
    """The hash that manifests record."""
    return hashlib.sha256(content).hexdigest()
