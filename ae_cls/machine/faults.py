"""Faults of the machine as errors of ours: which limit was met, and what to lower."""

import errno
import re
import sys

from ae_cls.errors import AeClsError, StorageError, TrainingError

# What torch and the C++ library say; none of them has a type of its own for the processor's memory.
_NO_MEMORY = re.compile(
    r"can't allocate memory|cannot allocate memory|not enough memory|out of memory|bad_alloc"
    r"|ALLOC_FAILED|storage size calculation overflowed|array is too big"
    r"|maximum allowed dimension exceeded",
    re.IGNORECASE,
)
# What the loader of shared libraries says under a limit on addresses (`ulimit -v`), as by clusters.
_NOT_MAPPED = re.compile("failed to map segment|cannot map zero-fill pages")
_NO_THREAD = "can't start new thread"
_PLACES = {
    errno.ENOSPC: "cannot write", errno.EDQUOT: "cannot write", errno.EFBIG: "cannot write",
    errno.EROFS: "cannot write", errno.EIO: "cannot read or write",
    errno.EACCES: "not permitted", errno.EPERM: "not permitted",
}  # fmt: skip
_ROOM = {
    errno.ENOSPC: "free some space, or ",
    errno.EDQUOT: "free some space, or ",
    errno.EFBIG: "a higher limit of the size of a file (ulimit -f), or ",
}
_HANDLES = {errno.EMFILE: "ulimit -n", errno.ENFILE: "sysctl fs.file-max"}


def as_ours(error: BaseException) -> AeClsError | None:
    """What the user can do about a fault of the machine; None where it is something else."""
    if isinstance(error, AeClsError):
        return error
    if is_out_of_memory(error):
        return TrainingError(
            "there is not enough memory", why=reason_of(error),
            fix="a smaller pretrain.batch_size, head.batch_size, dataset.image_size or network; "
            "fewer jobs at a time; or close other programs",
        )  # fmt: skip
    if isinstance(error, ImportError) and _NOT_MAPPED.search(str(error)):
        return TrainingError(
            "there is not enough memory to load a library", why=str(error),
            fix="a higher limit (ulimit -v), or close other programs",
        )  # fmt: skip
    # Whoever raises it has imported it; importing it here takes a tenth of the time of --help.
    futures = sys.modules.get("concurrent.futures")
    if futures is not None and isinstance(error, futures.BrokenExecutor):
        return TrainingError(
            "a process of this run was lost", why="it was killed, perhaps for lack of memory",
            fix="free some memory and start again",
        )  # fmt: skip
    if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
        return _no_thread(str(error))
    return _of_system(error) if isinstance(error, OSError) else None


def room_for(number: int | None) -> str:
    """How a file can be written that met this error of the system."""
    return _ROOM.get(number or 0, "") + "choose another place"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was asked for that there is not."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, RuntimeError | ValueError):
        return _NO_MEMORY.search(str(error)) is not None
    return isinstance(error, MemoryError)


def reason_of(error: BaseException) -> str:
    """The first line of what the error says, without what is for those who mend torch."""
    text = str(error).strip().partition("\n")[0]
    return text.partition("DefaultCPUAllocator: ")[2] or text or type(error).__name__


def _of_system(error: OSError) -> AeClsError | None:
    why, where = error.strerror or str(error), str(error.filename or "")
    if error.errno in _PLACES:
        is_closed = error.errno in (errno.EACCES, errno.EPERM)
        open_it = "let its owner open it, or choose another place"
        fix = open_it if is_closed else room_for(error.errno)
        return StorageError(_PLACES[error.errno], where=where, why=why, fix=fix)
    if error.errno in _HANDLES:
        limit = _HANDLES[error.errno]
        return TrainingError(
            "too many files are open at a time", where=where, why=why,
            fix=f"a higher limit ({limit}), or fewer jobs at a time",
        )  # fmt: skip
    return _no_thread(why) if error.errno == errno.EAGAIN else None


def _no_thread(why: str) -> TrainingError:
    return TrainingError(
        "the system cannot start another thread or process", why=why,
        fix="fewer threads or jobs at a time (threads=1, launch.jobs=1), or a higher limit: "
        "ulimit -u",
    )  # fmt: skip
