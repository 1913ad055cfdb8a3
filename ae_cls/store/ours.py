"""What ae-cls writes to and deletes is its own: never what a link, or another name, stands for.

A folder that was received may hold links in the places that a run writes to. Those who can change a
folder while it is written to are not kept out: they could write there themselves.
"""

import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

from ae_cls.errors import ModelFileError, StorageError

_TEMPORARY = re.compile(r"\.ae-cls-[0-9a-f]{32}\.tmp")


def temporary_name() -> str:
    """A new name that nobody but ae-cls gives a file."""
    return f".ae-cls-{uuid.uuid4().hex}.tmp"


def is_temporary(name: str) -> bool:
    """Whether it is such a name."""
    return _TEMPORARY.fullmatch(name) is not None


def is_folder(path: Path) -> bool:
    """Whether it is a folder itself, not a link to one."""
    return path.is_dir() and not path.is_symlink()


def is_file(path: Path) -> bool:
    """Whether it is a regular file itself, not a link to one."""
    return path.is_file() and not path.is_symlink()


def make_folder(path: Path, *, within: Path | None = None) -> None:
    """Make a folder that is to be written to, unless it exists.

    Args:
        path: of the folder; those above it are made, too.
        within: a folder above it, below which nothing may be a link; None: that it lies in.

    Raises:
        StorageError: a link lies there.
        OSError: it cannot be made.
    """
    refuse_links(path, within=path.parent if within is None else within)
    path.mkdir(parents=True, exist_ok=True)


def refuse_links(path: Path, *, within: Path) -> None:
    """Stop where a path leads through a link below a folder, or is one.

    Raises:
        StorageError: it does.
    """
    below = path.relative_to(within).parts
    for depth in range(1, len(below) + 1):
        if (part := within.joinpath(*below[:depth])).is_symlink():
            raise _not_ours(part, "it is a link, and ae-cls writes through none")


def open_to_write(path: Path, flags: int) -> int:
    """A handle of a file of ours that is written to in place; it is made if it is missing.

    Args:
        path: of the file.
        flags: of `os.open`, beside those that make it and keep links out.

    Raises:
        StorageError: it is a link, no regular file, or has a second name elsewhere.
        OSError: it cannot be opened.
    """
    if path.is_symlink():
        raise _not_ours(path, "it is a link, and ae-cls writes through none")
    # Not to wait for whoever reads a pipe.
    handle = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    facts = os.fstat(handle)
    if stat.S_ISREG(facts.st_mode) and facts.st_nlink <= 1:
        return handle
    os.close(handle)
    if stat.S_ISREG(facts.st_mode):
        raise _not_ours(path, "it is a hard link: the same file has another name elsewhere")
    raise _not_ours(path, "it is not a regular file")


def refuse_strangers(folder: Path) -> None:
    """Stop where a run folder that is to be continued holds what no run makes.

    Raises:
        ModelFileError: it is a link, or something in it is neither a regular file nor a folder.
    """
    if folder.is_symlink():
        raise ModelFileError(
            "a run cannot be continued through a link", where=str(folder),
            fix=f"name the folder itself: {folder.resolve()}",
        )  # fmt: skip
    for entry in _all_below(folder):
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            what = "a link" if entry.is_symlink() else "neither a file nor a folder"
            raise ModelFileError(
                "the run folder holds what no run makes", where=entry.path,
                why=f"it is {what}; nothing was written",
                fix="remove it if you trust the folder otherwise; a new run goes into a new one",
            )  # fmt: skip


def remove_folder(path: Path, *, within: Path) -> None:
    """Remove a folder of ours with all in it, as far as that is possible; links stay.

    Args:
        path: of the folder.
        within: a folder above it, below which nothing may be a link.
    """
    try:
        refuse_links(path, within=within)
    except StorageError:
        return
    shutil.rmtree(path, ignore_errors=True)


def _all_below(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """Everything in a folder, and in those in it that are no links."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return  # another process has removed it meanwhile
    for entry in entries:
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from _all_below(entry.path)


def _not_ours(path: Path, why: str) -> StorageError:
    return StorageError(
        "this is not written to", where=str(path), why=why,
        fix="remove it if you know where it comes from; or choose another place",
    )  # fmt: skip
