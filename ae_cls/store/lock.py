"""Who is at work on something: a lock that the system takes back when its owner ends, however.

On file systems where flock does nothing (some of Lustre, GPFS and NFS) two processes may both hold
it: nothing here may be wrong then, only done twice.
"""

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from ae_cls.store.files import cannot_write

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@final
@dataclass(frozen=True)
class Owner:
    """A process, so that it is not mistaken for a later one with the same number.

    Attributes:
        process: its number.
        host: name of its machine.
        started: clock ticks from the machine's start to its own, as Linux tells; 0 elsewhere.
    """

    process: int
    host: str
    started: int

    def is_gone(self) -> bool:
        """Whether it ran on this machine and runs no more."""
        if self.host != platform.node():
            return False  # nobody here can tell
        return not _is_alive(self.process) or _start_of(self.process) != self.started

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


def this_process() -> Owner:
    """The process that asks."""
    return Owner(os.getpid(), platform.node(), _start_of(os.getpid()))


def owner_from(told: Any) -> Owner | None:
    """The owner of whom a JSON file tells; None where it tells of none."""
    try:
        return Owner(**told)
    except TypeError:
        return None


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
        return True  # somebody else's
    return True


@final
class Lock:
    """An flock on a file of its own, which stays there empty-handed and never needs deleting.

    Args:
        path: the file; it is made where it is missing.

    Raises:
        StorageError: the file cannot be made or opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = self._open()

    def take(self, *, shared: bool = False) -> bool:
        """Take the lock, alone or with others who share it; false when somebody is in the way."""
        if fcntl is None:
            return True
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
        """Who took it alone last, as far as it can be read."""
        try:
            return Owner(**json.loads(self.path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def release(self) -> None:
        """Give it back."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _open(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            # A store that may only be read is still good for what is in it.
            if self.path.is_file():
                return os.open(self.path, os.O_RDONLY)
            raise cannot_write(self.path, error) from error

    def _sign(self) -> None:
        """For messages alone: whether the lock is held is the system's knowledge."""
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, json.dumps(asdict(this_process())).encode(), 0)
        except OSError:
            return
