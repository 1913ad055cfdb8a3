"""Which image files a folder holds, and what their folders say about part and class."""

import logging
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn, final

from ae_cls.dataset.decode import SUFFIXES
from ae_cls.dataset.table import PartName
from ae_cls.errors import DataError

_LOG = logging.getLogger(__name__)

PART_WORDS: dict[str, PartName] = {
    "train": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "unlabelled": "unlabelled",
    "unlabeled": "unlabelled",
}
"""Names of folders, and words in a label file, that stand for a part."""

_HIDDEN = {"__macosx", "thumbs.db", "desktop.ini"}  # and all that begins with a dot
_SHOWN = 10


@final
@dataclass(frozen=True)
class Listing:
    """What lies in a folder, as paths relative to it with forward slashes, by code point.

    Attributes:
        folder: where it was looked.
        files: image files, by their suffix.
        folders: all folders that are not hidden.
    """

    folder: Path
    files: tuple[str, ...]
    folders: tuple[str, ...]

    @property
    def top_folders(self) -> frozenset[str]:
        """The folders directly in `folder`."""
        return frozenset(folder for folder in self.folders if "/" not in folder)


@final
@dataclass(frozen=True)
class Entry:
    """An image file, its part, and the name of its class; None in the unlabelled part."""

    path: str
    part: PartName
    label: str | None


def list_images(folder: Path) -> Listing:
    """All image files below `folder`; hidden entries are ignored, links to folders refused.

    Raises:
        DataError: the folder or one in it cannot be read, a link leads out of it, a file is none.
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
    _tell_of_others(folder, others)
    return Listing(folder, _relative(folder, files), _relative(folder, folders))


def entries_by_folder(listing: Listing) -> list[Entry]:
    """Part and class of each file, after the folders it lies in.

    Three layouts: class folders; `train`, `valid`, `test` with class folders in each; flat.
    The first two may hold `unlabelled` as well; a flat folder is unlabelled altogether.

    Raises:
        DataError: the folders follow none of these layouts, or a class folder is empty.
    """
    parts = listing.top_folders & PART_WORDS.keys()
    classes = listing.top_folders - parts
    if "train" in parts:
        _refuse_beside_train(classes)
        entries = [_entry_in_part(path) for path in listing.files]
    elif parts - {"unlabelled", "unlabeled"}:
        raise _layout_error(f"there is {min(parts)} but no train", "give the folder above train")
    elif classes:
        entries = [_entry_in_class(path) for path in listing.files]
    else:
        entries = [Entry(path, "unlabelled", None) for path in listing.files]
    _refuse_empty_classes(listing, split="train" in parts)
    return entries


def some(names: Iterable[str]) -> str:
    """The first ten, and how many more there are."""
    listed = list(names)
    more = len(listed) - _SHOWN
    return ", ".join(listed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


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
            raise _refused(path, "it is a link to a folder; copy the folder, or give it as root")
    for path in files:
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise _refused(path, f"{error.strerror}: is it a broken link?") from error
        if not stat.S_ISREG(mode):
            raise _refused(path, "it is no regular file but a pipe, socket or device")
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            raise _refused(path, f"it is a link out of the folder, to {path.resolve()}")


def _refused(path: Path, why: str) -> DataError:
    return DataError(f"{path.name} is not taken", where=str(path), why=why, fix="take it away")


def _tell_of_others(folder: Path, others: list[Path]) -> None:
    if others:
        names = some(sorted(path.name for path in others))
        _LOG.warning("%s: %d files are no images by suffix: %s", folder, len(others), names)


def _relative(folder: Path, paths: list[Path]) -> tuple[str, ...]:
    return tuple(sorted(path.relative_to(folder).as_posix() for path in paths))


def _entry_in_part(path: str) -> Entry:
    words = PurePosixPath(path).parts
    part = PART_WORDS.get(words[0])
    if part == "unlabelled":
        return Entry(path, part, None)
    if part is None or len(words) < 3:
        raise _layout_error(f"{path} lies in no class folder of a part", "train/CLASS/FILE")
    return Entry(path, part, words[1])


def _entry_in_class(path: str) -> Entry:
    words = PurePosixPath(path).parts
    if PART_WORDS.get(words[0]) == "unlabelled":
        return Entry(path, "unlabelled", None)
    if len(words) < 2:
        raise _layout_error(
            f"{path} lies beside the class folders", "CLASS/FILE or unlabelled/FILE"
        )
    return Entry(path, "train", words[0])


def _refuse_beside_train(classes: frozenset[str]) -> None:
    if classes:
        raise _layout_error(
            f"beside train there is {some(sorted(classes))}",
            "train, valid, test and unlabelled alone; is train a class, use dataset.labels_csv",
        )


def _refuse_empty_classes(listing: Listing, *, split: bool) -> None:
    depth = 2 if split else 1
    full = {"/".join(path.split("/")[:depth]) for path in listing.files}
    empty = [
        folder
        for folder in listing.folders
        if folder.count("/") == depth - 1
        and PART_WORDS.get(folder.split("/")[0]) != "unlabelled"
        and folder not in full
    ]
    if empty:
        raise DataError(
            f"{len(empty)} class folders hold no image",
            where=some(empty),
            fix="put images there or take the folders away",
        )


def _layout_error(why: str, fix: str) -> DataError:
    return DataError(
        "the folders say neither part nor class", where="dataset.root", why=why, fix=fix
    )
