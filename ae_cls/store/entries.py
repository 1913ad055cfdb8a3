"""Outputs of stages, each made once and found again by what it follows from.

    ROOT/ae-cls-store.json   says that this is a store: only in one is anything deleted
    ROOT/STAGE/NAME/      the files, key.json and, written last, manifest.json
    ROOT/locks/           who is making or reading an entry
    ROOT/unfinished/      checkpoints of trainings that have not finished

An entry appears by one rename of its folder. It is hashed before each use; a damaged one is set
aside and made again. Locks only save work: without them an entry may be made twice, never torn.
"""

import logging
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

from ae_cls.errors import ModelFileError, StorageError
from ae_cls.store.files import flush_folder, json_bytes, publish, write_json
from ae_cls.store.key import Change, Key, WrittenKey, changes
from ae_cls.store.lock import Lock
from ae_cls.store.manifest import NAME as MANIFEST
from ae_cls.store.manifest import check_files, write_manifest
from ae_cls.store.ours import make_folder, refuse_links, remove_folder
from ae_cls.store.received import MOST_PER_CLASS, read_typed

log = logging.getLogger(__name__)

KEY, UNFINISHED, LOCKS, BAD = "key.json", "unfinished", "locks", ".bad-"
CHECKPOINT = re.compile(r"step-\d{12}-[0-9a-f]{64}\.safetensors")
MARK = "ae-cls-store.json"
MARK_CONTENT = json_bytes({"ae-cls": "outputs of stages, which ae-cls may delete", "format": 1})
_LOOK_EVERY = 0.2  # seconds
_SAY_EVERY = 60.0  # seconds
_UNREADABLE = (ModelFileError, StorageError, OSError)

Make = Callable[[Path], None]
"""Writes an entry's files into the folder that it is given."""

Check = Callable[[Path], object]
"""Raises a ModelFileError if what will be used of an entry's folder is not what was written."""

Purpose = Literal["making", "using"]
"""Of a lock: one process at a time makes an entry; several may use it, which keeps it."""


@final
@dataclass(frozen=True)
class Entry:
    """The output of a stage, checked against its manifest.

    Attributes:
        key: what it follows from.
        folder: where its files are.
        was_kept: whether it was in the store before, rather than made just now.
    """

    key: Key
    folder: Path
    was_kept: bool

    def as_dict(self) -> dict[str, Any]:
        """What environment.json says of it."""
        key = {"stage": self.key.stage, **self.key.about, "entry": self.key.name}
        return {**key, "was_kept": self.was_kept}


@final
@dataclass(frozen=True)
class Nearest:
    """The entry that differs least from a key, and how."""

    name: str
    changes: list[Change]


@final
class Store:
    """The entries below one folder; those that were taken cannot be pruned until `close`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._leases: list[Lock] = []

    def take_or_make(self, key: Key, make: Make, check: Check = check_files) -> Entry:
        """The entry of that key; `make` is called if there is none that passes the check.

        Raises:
            StorageError: the store cannot be written.
        """
        with self.making(key, check) as folder:
            if folder is not None:
                make(folder)
        return self.entry(key, was_kept=folder is None)

    @contextmanager
    def making(self, key: Key, check: Check = check_files) -> Iterator[Path | None]:
        """A folder to fill, which becomes the entry; None where the entry exists already.

        Of several processes one fills it; the others wait and then use it.

        Raises:
            StorageError: the store cannot be written.
        """
        self._refuse_links(key)
        mark(self.root)
        self._lease(key)
        making = self._lock(key, "making")
        try:
            if self._exists_or_is_ours(key, making, check):
                yield None
            else:
                with self._filled(key) as folder:
                    yield folder
        finally:
            making.release()

    def entry(self, key: Key, *, was_kept: bool) -> Entry:
        """The entry of that key, which exists."""
        return Entry(key, self.folder(key), was_kept)

    def find(self, key: Key, check: Check = check_files) -> Entry | None:
        """The entry of that key, if it passes the check; a damaged one is set aside.

        Raises:
            StorageError: it is another user's, who lets nobody read it.
        """
        folder = self.folder(key)
        if not os.path.lexists(folder):
            return None
        try:
            refuse_links(folder, within=self.root)
            check(folder)
        except _UNREADABLE as error:
            _refuse_unpermitted(folder, error)
            self.set_aside(folder, error)
            return None
        _touch(folder)
        return self.entry(key, was_kept=True)

    def is_whole(self, key: Key) -> bool:
        """Whether there is an undamaged entry of that key; changes nothing."""
        try:
            check_files(self.folder(key))
        except _UNREADABLE:
            return False
        return True

    def folder(self, key: Key) -> Path:
        """Where the entry of that key is, or would be."""
        return self.root / key.stage / key.name

    def unfinished(self, key: Key) -> Path:
        """Where the checkpoints of that key are, or would be."""
        return self.root / UNFINISHED / f"{key.stage}-{key.name}"

    def places_of(self, stage: str, name: str) -> tuple[Path, ...]:
        """Where a training of that name may have left checkpoints: unfinished, or in its entry."""
        return self.root / UNFINISHED / f"{stage}-{name}", self.root / stage / name

    def nearest(self, key: Key) -> Nearest | None:
        """The entry of the same stage with the fewest differences; the newest of equals."""
        entries = [
            Nearest(path.parent.name, changes(other.inputs, key.inputs))
            for path in sorted(
                (self.root / key.stage).glob(f"*/{KEY}"), key=os.path.getmtime, reverse=True
            )
            if (other := read_key(path)) is not None and other.inputs is not None
        ]
        return min(entries, key=lambda entry: len(entry.changes), default=None)

    def close(self) -> None:
        """Let everything that was taken be pruned from now on."""
        while self._leases:
            self._leases.pop().release()

    def _refuse_links(self, key: Key) -> None:
        """A store that was received, as that of a run, leads nowhere else."""
        try:
            for folder in (self.folder(key).parent, self.root / LOCKS, self.unfinished(key)):
                refuse_links(folder, within=self.root)
        except PermissionError as error:  # another user's, which may not even be looked into
            raise _cannot_store(str(error.filename), error.strerror or str(error)) from error

    def _lease(self, key: Key) -> None:
        using = self._lock(key, "using")
        self._leases.append(using)
        # A process that prunes holds it alone, for a moment.
        while not using.take(shared=True):
            time.sleep(_LOOK_EVERY)

    def _lock(self, key: Key, purpose: Purpose) -> Lock:
        try:
            return Lock(lock_path(self.root, key.stage, key.name, purpose))
        except StorageError as error:
            raise _cannot_store(error.where, error.why) from error

    def _exists_or_is_ours(self, key: Key, making: Lock, check: Check) -> bool:
        """Whether the entry exists; if not, this process holds the lock on making it."""
        for _ in _turns(key, making):
            if self.find(key, check):
                return True
            if making.take():
                return self.find(key, check) is not None
        raise AssertionError("turns never end")

    @contextmanager
    def _filled(self, key: Key) -> Iterator[Path]:
        folder = self.folder(key)
        aside = folder.with_name(f".{key.name}.{uuid.uuid4().hex}.tmp")
        try:
            make_folder(aside, within=self.root)
            yield aside
            write_json(aside / KEY, key.as_dict())
            write_manifest(aside)
            _rename(aside, folder)
        except OSError as error:
            raise _cannot_store(str(folder), error.strerror or str(error)) from error
        finally:
            remove_folder(aside, within=self.root)
        remove_folder(self.unfinished(key), within=self.root)

    def set_aside(self, folder: Path, error: Exception) -> None:
        """Take a damaged entry out of sight, with a warning; it will be made again.

        Raises:
            StorageError: the store cannot be written.
        """
        stage = folder.parent.name
        log.warning("an output of %s is damaged and will be made again (%s)", stage, error)
        try:
            folder.rename(folder.with_name(f"{BAD}{folder.name}.{uuid.uuid4().hex}"))
        except FileNotFoundError:
            return  # another process has set it aside
        except OSError as failure:
            raise _cannot_store(str(folder), failure.strerror or str(failure)) from failure


@contextmanager
def opened(root: Path) -> Iterator[Store]:
    """A store whose entries are held until the body ends."""
    store = Store(root)
    try:
        yield store
    finally:
        store.close()


def _turns(key: Key, making: Lock) -> Iterator[None]:
    """A turn at once, then one now and then while another process makes the entry."""
    yield
    said = -_SAY_EVERY
    while True:
        if time.monotonic() - said >= _SAY_EVERY:
            owner = making.owner() or "another process"
            log.info("%s: waiting for %s, which is computing the same output", key.stage, owner)
            said = time.monotonic()
        time.sleep(_LOOK_EVERY)
        yield


def _cannot_store(where: str, why: str) -> StorageError:
    return StorageError(
        "outputs of stages cannot be stored", where=where, why=why,
        fix="AE_CLS_CACHE=FOLDER, with room in it; or store=own, in the run folder",
    )  # fmt: skip


def lock_path(root: Path, stage: str, name: str, purpose: Purpose) -> Path:
    """The file that is locked while an entry is made, or while it must not be pruned."""
    return root / LOCKS / f"{stage}-{name}.{purpose}"


def read_key(path: Path) -> WrittenKey | None:
    """What key.json says; None if it cannot be read."""
    try:
        return read_typed(path, WrittenKey, most=MOST_PER_CLASS)
    except _UNREADABLE:
        return None


def _rename(aside: Path, folder: Path) -> None:
    try:
        aside.rename(folder)
    except OSError:
        # The first to publish wins; equal keys have equal contents.
        if not folder.is_dir():
            raise
    flush_folder(folder.parent)


def mark(root: Path) -> None:
    """Say that a folder is a store, unless it says so; one that may only be read stays as it is."""
    if os.path.lexists(root / MARK):
        return
    with suppress(StorageError, OSError):
        root.mkdir(parents=True, exist_ok=True)
        publish(root / MARK, MARK_CONTENT)


def _refuse_unpermitted(folder: Path, error: Exception) -> None:
    """What may not be read is not damaged: it stays where its owner finds it."""
    if isinstance(error, PermissionError) or isinstance(error.__cause__, PermissionError):
        raise StorageError(
            "an output in the store may not be read", where=str(folder), why=str(error),
            fix="let its owner open it (chmod -R a+rX); or AE_CLS_CACHE=FOLDER; or store=own",
        ) from error  # fmt: skip


def _touch(folder: Path) -> None:
    """Note when it was last used, for pruning; a read-only store is left as it is."""
    try:
        os.utime(folder / MANIFEST)
    except OSError:
        return
