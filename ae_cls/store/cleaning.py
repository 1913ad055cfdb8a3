"""What a store holds: listed, verified, and removed where nobody needs it."""

import logging
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from ae_cls.errors import ModelFileError, StorageError, printable
from ae_cls.store.entries import BAD, KEY, UNFINISHED, Purpose, lock_path, read_key
from ae_cls.store.files import cannot_write
from ae_cls.store.lock import Lock
from ae_cls.store.manifest import NAME as MANIFEST
from ae_cls.store.manifest import check_files

_GONE = ".gone-"
_LOG = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class Kept:
    """An entry, the checkpoints of an unfinished training, or a leftover of a killed process.

    Attributes:
        stage: whose output it is.
        name: of its key.
        folder: where it is.
        about: what it is, for people; empty for checkpoints, which have no key beside them.
        size: bytes.
        used: when it was made or last used, in seconds since 1970.
        is_whole: false for checkpoints and leftovers.
    """

    stage: str
    name: str
    folder: Path
    about: dict[str, Any]
    size: int
    used: float
    is_whole: bool


def kept_in(root: Path) -> list[Kept]:
    """Everything in a store, the last used first."""
    kept = [*_entries(root), *_unfinished(root), *_leftovers(root)]
    return sorted(kept, key=lambda item: item.used, reverse=True)


def damage_in(root: Path) -> dict[Path, str]:
    """Each entry that differs from its manifest, and why; all files are hashed."""
    damage: dict[Path, str] = {}
    for entry in _entries(root):
        try:
            check_files(entry.folder)
        except (ModelFileError, StorageError, OSError) as error:
            damage[entry.folder] = getattr(error, "why", "") or str(error)
    return damage


def bound(root: Path, stage: str, most: int) -> list[Kept]:
    """Remove the longest unused outputs of a stage until at most so many bytes of them remain.

    What a process makes or reads stays. Returns what was removed.

    Raises:
        StorageError: the store cannot be written.
    """
    return remove(root, over_limit((kept for kept in kept_in(root) if kept.stage == stage), most))


def tidy(root: Path, stage: str, most: int) -> None:
    """As `bound`, beside other work, which it must not end: what cannot be removed stays."""
    try:
        bound(root, stage, most)
    except (StorageError, OSError) as error:
        _LOG.warning("old outputs of %s could not be removed: %s", stage, printable(str(error)))


def remove(root: Path, unwanted: Iterable[Kept]) -> list[Kept]:
    """Remove those that no process makes or reads. Returns what was removed.

    Raises:
        StorageError: the store cannot be written.
    """
    return [kept for kept in unwanted if _removed(root, kept)]


def over_limit(kept: Iterable[Kept], most: int) -> list[Kept]:
    """Those to remove, longest unused first, so that at most so many bytes remain."""
    ordered = sorted(kept, key=lambda item: item.used)
    surplus, unwanted = sum(item.size for item in ordered) - most, list[Kept]()
    for item in ordered:
        if surplus <= 0:
            break
        unwanted.append(item)
        surplus -= item.size
    return unwanted


def unused_for(kept: Iterable[Kept], seconds: float) -> list[Kept]:
    """Those that were not used for so long."""
    return [item for item in kept if time.time() - item.used >= seconds]


def _entries(root: Path) -> Iterator[Kept]:
    for path in root.glob(f"*/*/{KEY}"):
        folder, key = path.parent, read_key(path)
        if folder.name.startswith(".") or key is None or folder.is_symlink():
            continue
        yield from _kept(folder, folder.parent.name, folder.name, key.about, is_whole=True)


def _unfinished(root: Path) -> Iterator[Kept]:
    for folder in (root / UNFINISHED).glob("*-*"):
        stage, _, name = folder.name.partition("-")
        if list(folder.glob("*.safetensors")) and not folder.is_symlink():
            yield from _kept(folder, stage, name, {}, is_whole=False)


def _leftovers(root: Path) -> Iterator[Kept]:
    """Damaged entries that were set aside, and what killed processes had begun to make."""
    for folder in root.glob("*/.*"):
        if folder.is_symlink() or not folder.is_dir():
            continue
        name = folder.name.removeprefix(BAD).removeprefix(".").partition(".")[0]
        yield from _kept(
            folder, folder.parent.name, name, {"leftover": folder.name}, is_whole=False
        )


def _kept(
    folder: Path, stage: str, name: str, about: dict[str, Any], *, is_whole: bool
) -> Iterator[Kept]:
    """The folder, unless another process has removed it meanwhile."""
    try:
        facts = {path.name: path.stat() for path in folder.iterdir() if path.is_file()}
        used = facts.get(MANIFEST, folder.stat()).st_mtime
    except FileNotFoundError:
        return
    size = sum(fact.st_size for fact in facts.values())
    yield Kept(stage, name, folder, about, size, used, is_whole)


def _removed(root: Path, kept: Kept) -> bool:
    purposes: tuple[Purpose, ...] = ("using", "making")
    locks = [Lock(lock_path(root, kept.stage, kept.name, purpose)) for purpose in purposes]
    try:
        if not all(lock.take() for lock in locks):
            return False
        # First out of sight, by one rename: nobody may find half an entry.
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
