"""Room on a disk: asked before the work, where what will be written can be foreseen."""

import errno
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ae_cls.errors import StorageError
from ae_cls.machine.memory import gigabytes
from ae_cls.store.files import cannot_write

_BLOCK = 4096  # bytes; an empty file fits on many a full disk


def refuse_unwritable(place: Path) -> None:
    """Try whether files can be written there; nothing is left behind, and no folder is made.

    Raises:
        StorageError: they cannot.
    """
    try:
        upper = _existing(place)
        if not upper.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with tempfile.TemporaryFile(dir=upper, buffering=0) as file:
            file.write(bytes(_BLOCK))
    except OSError as error:
        raise cannot_write(place, error) from error


def refuse_without_room(needed: Mapping[Path, int]) -> None:
    """Compare what will be written with what is free, together for places on one disk.

    Args:
        needed: bytes by place, which need not exist yet.

    Raises:
        StorageError: a disk has less.
    """
    disks: dict[int, dict[Path, int]] = {}
    for place, size in needed.items():
        disks.setdefault(_existing(place).stat().st_dev, {})[place] = size
    for wanted in disks.values():
        free, size = shutil.disk_usage(_existing(next(iter(wanted)))).free, sum(wanted.values())
        if free < size:
            raise StorageError(
                f"this will write about {gigabytes(size)}, and {gigabytes(free)} are free",
                where="\n".join(map(str, wanted)),
                fix="free some space, or another place: outputs=FOLDER, AE_CLS_CACHE=FOLDER",
            )


def _existing(place: Path) -> Path:
    """The place, or the nearest folder above it that exists."""
    return next(path for path in (place, *place.absolute().parents) if path.exists())
