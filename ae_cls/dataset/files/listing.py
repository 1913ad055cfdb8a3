"""Which image files a folder holds: none outside it, none hidden, nothing but regular files."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, final

from ae_cls.dataset.files.decode import SUFFIXES
from ae_cls.errors import DataError, some

_AWAY = "move it out of the folder"
_HIDDEN = {"__macosx", "thumbs.db", "desktop.ini"}  # and every name that begins with a dot


@final
@dataclass(frozen=True)
class Listing:
    """What lies in a folder, as paths relative to it with forward slashes, by code point.

    Attributes:
        folder: where it was looked.
        files: image files, by their suffix.
        folders: all folders that are not hidden.
        notes: what was left out, one sentence each.
    """

    folder: Path
    files: tuple[str, ...]
    folders: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def top_folders(self) -> frozenset[str]:
        """The folders directly in `folder`."""
        return frozenset(folder for folder in self.folders if "/" not in folder)


def list_images(folder: Path) -> Listing:
    """All image files below `folder`; hidden entries are ignored, links to folders refused.

    Raises:
        DataError: the folder or one in it cannot be read, a link leads out of it, or an image file
            is not a regular file.
    """
    if not folder.is_dir():
        raise DataError(
            "there is no such folder", where=f"dataset.root={folder}", fix="dataset.root=FOLDER"
        )
    files, folders, others = [], [], []
    for place, below, names in os.walk(folder, onerror=_raise):
        below[:] = [name for name in below if not _is_hidden(name)]
        folders += [Path(place, name) for name in below]
        visible = [Path(place, name) for name in names if not _is_hidden(name)]
        files += [path for path in visible if path.suffix.lower() in SUFFIXES]
        others += [path for path in visible if path.suffix.lower() not in SUFFIXES]
    _refuse_links_and_special_files(folder, files, folders)
    relative = _relative(folder, files), _relative(folder, folders)
    return Listing(folder, *relative, tuple(_notes_of_others(others)))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _HIDDEN


def _raise(error: OSError) -> NoReturn:
    raise DataError(
        "a folder cannot be read", where=str(error.filename), why=str(error.strerror)
    ) from error


def _refuse_links_and_special_files(folder: Path, files: list[Path], folders: list[Path]) -> None:
    inside = folder.resolve()
    for path in folders:
        if path.is_symlink():
            raise _refused(path, "it is a link to a folder", "copy the folder, or give it as root")
    for path in files:
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise _refused(path, f"{error.strerror}: is it a broken link?", _AWAY) from error
        if not stat.S_ISREG(mode):
            raise _refused(path, "it is a pipe, socket or device, not a regular file", _AWAY)
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            why = f"it is a link out of the folder, to {path.resolve()}"
            raise _refused(path, why, "copy the file into the folder")


def _refused(path: Path, why: str, fix: str) -> DataError:
    return DataError(f"{path.name} cannot be used", where=str(path), why=why, fix=fix)


def _notes_of_others(others: list[Path]) -> Iterator[str]:
    if others:
        names = ", ".join(some(sorted(path.name for path in others)))
        yield f"{len(others)} files have no suffix of an image: {names}"


def _relative(folder: Path, paths: list[Path]) -> tuple[str, ...]:
    return tuple(sorted(path.relative_to(folder).as_posix() for path in paths))
