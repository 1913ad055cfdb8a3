"""What a store holds: told, checked, and taken away where nobody needs it."""

import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from ae_cls.errors import ModelFileError
from ae_cls.store.entries import BAD, KEY, LOCKS, UNFINISHED, read_key
from ae_cls.store.files import cannot_write
from ae_cls.store.lock import Lock
from ae_cls.store.manifest import NAME as MANIFEST
from ae_cls.store.manifest import check_files

_GONE = ".gone-"


@final
@dataclass(frozen=True)
class Kept:
    """An entry, or the checkpoints of a stage that was not ended.

    Attributes:
        stage: pretrain, encode or classify.
        name: of its key.
        folder: where it is.
        about: what it is, for people; empty for checkpoints, which have no key beside them.
        size: bytes.
        used: when it was made or taken last, in seconds since 1970.
        is_whole: false for checkpoints, and for leftovers of processes that were killed.
    """

    stage: str
    name: str
    folder: Path
    about: dict[str, Any]
    size: int
    used: float
    is_whole: bool


def kept_in(root: Path) -> list[Kept]:
    """All that is there, the latest used first."""
    found = [*_entries(root), *_unfinished(root), *_leftovers(root)]
    return sorted(found, key=lambda each: each.used, reverse=True)


def damage_in(root: Path) -> dict[Path, str]:
    """Each entry that is not what its manifest says, and why; all files are hashed."""
    found: dict[Path, str] = {}
    for each in _entries(root):
        try:
            check_files(each.folder)
        except (ModelFileError, OSError) as error:
            found[each.folder] = getattr(error, "why", "") or str(error)
    return found


def remove(root: Path, unwanted: Iterable[Kept]) -> list[Kept]:
    """Take away what no process makes or reads; what could be taken away.

    Raises:
        StorageError: the store cannot be written.
    """
    return [each for each in unwanted if _removed(root, each)]


def over_limit(kept: Iterable[Kept], most: int) -> list[Kept]:
    """The entries to take away, longest unused first, so that at most so many bytes remain."""
    entries = sorted(kept, key=lambda each: each.used)
    surplus, found = sum(each.size for each in entries) - most, list[Kept]()
    for each in entries:
        if surplus <= 0:
            break
        found.append(each)
        surplus -= each.size
    return found


def unused_for(kept: Iterable[Kept], seconds: float) -> list[Kept]:
    """What was last used so long ago."""
    return [each for each in kept if time.time() - each.used >= seconds]


def _entries(root: Path) -> Iterator[Kept]:
    for key in root.glob(f"*/*/{KEY}"):
        folder = key.parent
        told = read_key(key)
        if folder.name.startswith(".") or told is None or folder.is_symlink():
            continue
        yield _kept(folder, folder.parent.name, folder.name, told["about"], is_whole=True)


def _unfinished(root: Path) -> Iterator[Kept]:
    for folder in (root / UNFINISHED).glob("*-*"):
        stage, _, name = folder.name.partition("-")
        if list(folder.glob("*.safetensors")) and not folder.is_symlink():
            yield _kept(folder, stage, name, {}, is_whole=False)


def _leftovers(root: Path) -> Iterator[Kept]:
    """Damaged entries that were set aside, and halves of processes that were killed."""
    for folder in root.glob("*/.*"):
        if folder.is_symlink() or not folder.is_dir():
            continue
        name = folder.name.removeprefix(BAD).removeprefix(".").partition(".")[0]
        yield _kept(folder, folder.parent.name, name, {"leftover": folder.name}, is_whole=False)


def _kept(folder: Path, stage: str, name: str, about: dict[str, Any], *, is_whole: bool) -> Kept:
    facts = [path.stat() for path in folder.iterdir() if path.is_file()]
    marker = folder / MANIFEST
    used = marker.stat().st_mtime if marker.is_file() else folder.stat().st_mtime
    return Kept(stage, name, folder, about, sum(f.st_size for f in facts), used, is_whole)


def _removed(root: Path, kept: Kept) -> bool:
    locks = [Lock(root / LOCKS / f"{kept.stage}-{kept.name}.{use}") for use in ("using", "making")]
    try:
        if not all(lock.take() for lock in locks):
            return False
        # Out of sight by one rename first: nobody may find half an entry.
        gone = kept.folder.with_name(f"{_GONE}{kept.name}.{uuid.uuid4().hex}")
        kept.folder.rename(gone)
        shutil.rmtree(gone)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise cannot_write(kept.folder, error) from error
    finally:
        for lock in locks:
            lock.release()
    return True
