"""Who is working on something: a lock that the system releases when its owner ends, however.

On file systems where flock does nothing (some of Lustre, GPFS and NFS) two processes may both hold
it: then work may be done twice, but never wrongly.
"""

import fcntl
import json
import os
import platform
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from pydantic import Field, ValidationError

from ae_cls.errors import ModelFileError, StorageError
from ae_cls.settings import Settings
from ae_cls.store.files import cannot_write
from ae_cls.store.ours import is_file, make_folder, open_to_write
from ae_cls.store.received import read_json

_MOST = 4096  # bytes of a signature


@final
@dataclass(frozen=True)
class Owner:
    """A process, told apart from a later one with the same number.

    Attributes:
        process: its number.
        host: name of its machine.
        started: clock ticks from the start of the machine to its own, on Linux; 0 elsewhere.
    """

    process: int
    host: str
    started: int

    def is_gone(self) -> bool:
        """Whether it ran on this machine and has ended."""
        if self.host != platform.node():
            return False  # there is no way to know
        return not _is_alive(self.process) or _start_of(self.process) != self.started

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


@final
class WrittenOwner(Settings):
    """An `Owner` as JSON holds it."""

    process: int = Field(gt=0, lt=2**31)
    host: str
    started: int


def this_process() -> Owner:
    return Owner(os.getpid(), platform.node(), _start_of(os.getpid()))


def owner_from(value: Any) -> Owner | None:
    """The owner that a JSON value describes; None if it describes none."""
    try:
        return Owner(**dict(WrittenOwner.model_validate(value)))
    except ValidationError:
        return None


def is_signature(content: bytes) -> bool:
    """Whether this is what a process writes into the file of a lock that it holds."""
    try:
        owner = owner_from(json.loads(content))
    except ValueError:
        return False
    return owner is not None and content == _signature(owner)


def _signature(owner: Owner) -> bytes:
    return json.dumps(asdict(owner)).encode()


def _start_of(process: int) -> int:
    try:
        # The name in field 2 may hold spaces; the start is field 22.
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


@final
class Lock:
    """An flock on a file of its own, which may stay there afterwards and never needs deleting.

    Args:
        path: of the file, which is made if it is missing; no link is followed.

    Raises:
        StorageError: the file cannot be made or opened, or is not one of ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_signed = False
        self._handle = self._open()

    def take(self, *, shared: bool = False) -> bool:
        """Take the lock, alone or shared; false if another process holds it."""
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self._handle, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # no locks on this file system
        if not shared:
            self._sign()
        return True

    def owner(self) -> Owner | None:
        """Who last took it alone, as far as that can be read."""
        try:
            return owner_from(read_json(self.path, most=_MOST))
        except (ModelFileError, StorageError):
            return None

    def release(self) -> None:
        """Release it; nothing happens if it was released before.

        A lock that is free says nothing of who had it, so that nothing in its file can be damaged.
        """
        if self._handle >= 0:
            if self._is_signed:
                self._write(b"")
            os.close(self._handle)
            self._handle = -1

    def _open(self) -> int:
        try:
            make_folder(self.path.parent)
            return open_to_write(self.path, os.O_RDWR)
        except OSError as error:
            # A read-only store still gives what is in it.
            if is_file(self.path):
                with suppress(PermissionError):
                    return os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW)
            raise cannot_write(self.path, error) from error

    def _sign(self) -> None:
        """Only for messages: the system alone knows whether the lock is held."""
        self._is_signed = True
        self._write(_signature(this_process()))

    def _write(self, content: bytes) -> None:
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, content, 0)
        except OSError:
            return
