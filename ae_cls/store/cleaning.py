"""What a store holds: listed, verified, and removed where nobody needs it.

Removed is only what has the name and the form of what ae-cls writes; all else is a stranger's, and
stays. Nothing is looked for behind a link.
"""

import logging
import re
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, final

from ae_cls.errors import ModelFileError, StorageError, printable
from ae_cls.store.entries import (
    CHECKPOINT,
    KEY,
    LOCKS,
    MARK,
    MARK_CONTENT,
    UNFINISHED,
    Purpose,
    lock_path,
    read_key,
)
from ae_cls.store.files import cannot_write, file_sha256
from ae_cls.store.key import Key, WrittenKey
from ae_cls.store.lock import Lock, is_signature
from ae_cls.store.manifest import NAME as MANIFEST
from ae_cls.store.manifest import check_files, listed_files
from ae_cls.store.ours import is_file, is_folder, is_temporary, refuse_links
from ae_cls.store.received import read_bytes

_GONE = ".gone-"
_LOG = logging.getLogger(__name__)
_HEX = "[0-9a-f]{32}"
_STAGE = re.compile("[a-z][a-z_]*")
_ENTRY = re.compile(_HEX)
_LEFTOVER = re.compile(rf"\.{_HEX}\.{_HEX}\.tmp|\.(bad|gone)-{_HEX}\.{_HEX}")
_TRAINING = re.compile(f"{_STAGE.pattern}-{_HEX}")
_LOCK = re.compile(rf"{_TRAINING.pattern}\.(making|using)")


@final
class Kind(Enum):
    """What something in a store is, by its name and form."""

    ENTRY = auto()
    CHECKPOINTS = auto()
    LEFTOVER = auto()
    LOCK = auto()
    MARK = auto()
    STRANGER = auto()


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


def is_store(root: Path) -> bool:
    """Whether a folder is a store: it says so, or holds an output as only ae-cls makes them.

    The latter are of versions that did not say so, or have lost the file that does.
    """
    if is_file(root / MARK) and read_bytes(root / MARK) == MARK_CONTENT:
        return True
    return any(_is_named_by_key(path) for kind, path in _things(root) if kind is Kind.ENTRY)


def kept_in(root: Path) -> list[Kept]:
    """Everything of ours in a store that can be removed, the last used first."""
    kept = [item for kind, path in _things(root) for item in _kept(kind, path)]
    return sorted(kept, key=lambda item: item.used, reverse=True)


def strangers_in(root: Path) -> list[Path]:
    """What lies in a store, or in something of ours there, and was not written by ae-cls."""
    return [
        stranger
        for kind, path in _things(root)
        for stranger in ([path] if kind is Kind.STRANGER else _strangers_within(kind, path))
    ]


def damage_in(root: Path) -> dict[Path, str]:
    """Each thing of ours that is not as it was written, and why; all files are hashed."""
    damage: dict[Path, str] = {}
    for kind, path in _things(root):
        try:
            _refuse_damage(kind, path)
        except (ModelFileError, StorageError, OSError) as error:
            damage[path] = getattr(error, "why", "") or getattr(error, "what", str(error))
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
    """Remove those that no process makes or reads, and that hold nothing else.

    Returns what was removed.

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


def _things(root: Path) -> Iterator[tuple[Kind, Path]]:
    """Everything in a store; of folders that only ae-cls fills, what lies in them."""
    if not root.is_dir():
        return
    for path in sorted(root.iterdir()):
        if path.name == MARK and is_file(path):
            yield Kind.MARK, path
        elif is_folder(path) and _STAGE.fullmatch(path.name):
            yield from ((_kind(inner), inner) for inner in sorted(path.iterdir()))
        elif not (is_file(path) and is_temporary(path.name)):
            yield Kind.STRANGER, path


def _kind(path: Path) -> Kind:
    """Of what lies in a folder of a store."""
    name, above = path.name, path.parent.name
    if above == LOCKS:
        return Kind.LOCK if is_file(path) and _LOCK.fullmatch(name) else Kind.STRANGER
    if not is_folder(path):
        return Kind.STRANGER
    if above == UNFINISHED:
        return Kind.CHECKPOINTS if _TRAINING.fullmatch(name) else Kind.STRANGER
    if _LEFTOVER.fullmatch(name):
        return Kind.LEFTOVER
    return Kind.ENTRY if _ENTRY.fullmatch(name) and _is_entry(path) else Kind.STRANGER


def _is_entry(folder: Path) -> bool:
    """Whether the key or, where that is damaged, the manifest says that it is one of ours."""
    key = _key_in(folder)
    return KEY in _listed(folder) if key is None else key.stage == folder.parent.name


def _is_named_by_key(folder: Path) -> bool:
    """Whether an entry has the name that follows from its key."""
    key = _key_in(folder)
    return (
        key is not None
        and key.inputs is not None
        and Key(key.stage, key.inputs).name == folder.name
    )


def _key_in(folder: Path) -> WrittenKey | None:
    return read_key(folder / KEY) if is_file(folder / KEY) else None


def _listed(folder: Path) -> set[str]:
    """The names of the files of an entry; empty where nothing says them."""
    try:
        return {*listed_files(folder).names, MANIFEST} if is_file(folder / MANIFEST) else set()
    except (ModelFileError, StorageError):
        return set()


def _strangers_within(kind: Kind, folder: Path) -> Iterator[Path]:
    """What does not belong into the folder of an output, of checkpoints or of a leftover."""
    if not is_folder(folder):
        return
    listed = _listed(folder) if kind is Kind.ENTRY else set[str]()
    for path in sorted(folder.iterdir()):
        if not is_file(path):
            yield path
        elif kind is Kind.CHECKPOINTS and not is_temporary(path.name):
            if not CHECKPOINT.fullmatch(path.name):
                yield path
        elif listed and path.name not in listed:
            yield path


def _refuse_damage(kind: Kind, path: Path) -> None:
    if kind in _CHECKS:
        _CHECKS[kind](path)


def _check_entry(folder: Path) -> None:
    check_files(folder)
    key = _key_in(folder)
    if key is not None and key.inputs is not None and not _is_named_by_key(folder):
        raise ModelFileError("an entry has another name than its key gives it")


def _check_checkpoints(folder: Path) -> None:
    for file in folder.glob("*.safetensors"):
        if not (is_file(file) and file.stem.endswith(f"-{file_sha256(file)}")):
            raise ModelFileError(f"the hash of {file.name} is not the one in its name")


def _check_lock(path: Path) -> None:
    content = read_bytes(path)
    if content and not is_signature(content):
        raise ModelFileError("it is not the signature of a process")


def _check_mark(path: Path) -> None:
    if read_bytes(path) != MARK_CONTENT:
        raise ModelFileError("it does not say what ae-cls writes there")


_CHECKS = {
    Kind.ENTRY: _check_entry,
    Kind.CHECKPOINTS: _check_checkpoints,
    Kind.LOCK: _check_lock,
    Kind.MARK: _check_mark,
}


def _kept(kind: Kind, folder: Path) -> Iterator[Kept]:
    """What can be removed, unless another process has removed it meanwhile."""
    try:
        facts = {path.name: path.lstat() for path in folder.iterdir()}
        used = facts.get(MANIFEST, folder.lstat()).st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return
    size = sum(fact.st_size for fact in facts.values())
    stage, name = folder.parent.name, folder.name
    match kind:
        case Kind.ENTRY:
            key = _key_in(folder)
            about = key.about if key else {}
            yield Kept(stage, name, folder, about, size, used, is_whole=True)
        case Kind.CHECKPOINTS if any(map(CHECKPOINT.fullmatch, facts)):
            stage, _, name = name.rpartition("-")
            yield Kept(stage, name, folder, {}, size, used, is_whole=False)
        case Kind.LEFTOVER:
            about, name = {"leftover": name}, re.findall(_HEX, name)[0]
            yield Kept(stage, name, folder, about, size, used, is_whole=False)
        case _:
            return


def _removed(root: Path, kept: Kept) -> bool:
    purposes: tuple[Purpose, ...] = ("using", "making")
    refuse_links(root / LOCKS, within=root)
    refuse_links(kept.folder, within=root)
    locks = [Lock(lock_path(root, kept.stage, kept.name, purpose)) for purpose in purposes]
    try:
        if not all(lock.take() for lock in locks):
            return False
        if any(_strangers_within(_kind(kept.folder), kept.folder)):
            return False
        # First out of sight, by one rename: nobody may find half an entry.
        gone = kept.folder.with_name(f"{_GONE}{kept.name}.{uuid.uuid4().hex}")
        kept.folder.rename(gone)
        for path in gone.iterdir():
            path.unlink()
        gone.rmdir()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise cannot_write(kept.folder, error) from error
    finally:
        for lock in locks:
            lock.release()
    return True
