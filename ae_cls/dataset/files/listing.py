"""Which image files a folder holds, as people mean it; what is left out is said, kind by kind."""

import shlex
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import final

from ae_cls.dataset.files.scan import Links, Scan, scan
from ae_cls.errors import DataError, some

_FEW = 3  # names that are shown of files of one kind
# The first bytes of pictures, to find those whose name does not say what they are.
_STARTS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ", b"RIFF",
)  # fmt: skip
_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")


_WAYS_TO_READ = {
    ".npz": "dataset=npz",
    ".parquet": "dataset=parquet",
    ".csv": "dataset.root=FOLDER, that of the images, dataset.labels_csv=FILE\n"
    "or, if the pixels are in the table: dataset=csv_pixels",
}
"""Words for a file that stands in the place of a folder."""


@final
@dataclass(frozen=True)
class Listing:
    """What lies in a folder, as paths relative to it with forward slashes, by code point.

    Attributes:
        folder: where it was looked.
        files: image files, by their suffix.
        folders: all folders but those that systems or ae-cls made.
        others: files without the suffix of an image.
        hidden: files and folders that systems make, not people.
        notes: what was left out, one sentence each.
    """

    folder: Path
    files: tuple[str, ...]
    folders: tuple[str, ...]
    others: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def top_folders(self) -> frozenset[str]:
        """The folders directly in `folder`."""
        return frozenset(folder for folder in self.folders if "/" not in folder)

    @cached_property
    def image_folders(self) -> frozenset[str]:
        """The folders that hold an image themselves; empty for `folder`."""
        return frozenset(path.rpartition("/")[0] for path in self.files)

    @cached_property
    def folders_above_images(self) -> Mapping[str, set[str]]:
        """For each folder, empty for `folder`, the names of those in it that hold images below."""
        found: dict[str, set[str]] = defaultdict(set)
        for folder in self.image_folders:
            while folder:
                above, _, name = folder.rpartition("/")
                found[above].add(name)
                folder = above
        return found


def list_images(folder: Path, links: Links = "refuse", table: Path | None = None) -> Listing:
    """All image files below `folder`; what systems or ae-cls made is left out and noted.

    Args:
        folder: where to look.
        links: whether links to folders, and to files outside `folder`, are followed.
        table: of labels, which is no image and needs no note.

    Raises:
        DataError: the folder or one in it cannot be read, a link may not be followed, or an image
            file is not a regular file.
    """
    if not folder.is_dir():
        raise _no_folder(folder)
    found = scan(folder, links, table)
    _refuse_links_and_special_files(found, links)
    return Listing(
        folder,
        *(_relative(folder, paths) for paths in (found.images, found.folders, found.others)),
        hidden=_relative(folder, found.hidden),
        notes=tuple([*_notes_of_others(found.others), *_notes_of_what_is_no_data(found)]),
    )


def images_below(folder: Path, but: Path | None = None) -> tuple[list[Path], list[str]]:
    """All image files below a folder by code point, and notes of what is left out.

    Links to files are taken as they are, and nothing is asked of the files.

    Args:
        folder: where to look.
        but: a file to pass over without a word, such as the one to be written.

    Raises:
        DataError: a folder cannot be read.
    """
    found = scan(folder, but=but)
    notes = [*_notes_of_others(found.others), *_notes_of_what_is_no_data(found)]
    if found.unfollowed:
        names = _names(found.unfollowed)
        notes.append(f"{_count(found.unfollowed, 'link')} to folders not followed: {names}")
    return sorted(found.images, key=lambda path: path.parts), notes


def by_suffix(paths: Iterable[str]) -> Mapping[str, list[str]]:
    """The paths of each suffix, which is in small letters; the most frequent suffix first."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        found[PurePosixPath(path).suffix.lower()].append(path)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def _no_folder(folder: Path) -> DataError:
    if folder.is_file():
        fix = _WAYS_TO_READ.get(folder.suffix.lower(), "unpack it first, if it is an archive")
        return DataError("this is a file, not a folder", where=f"dataset.root={folder}", fix=fix)
    upper = next(path for path in folder.absolute().parents if path.is_dir())
    return DataError(
        "there is no such folder",
        where=f"dataset.root={folder}",
        why=f"{upper} is there and holds {_held(upper)}",
        fix="dataset.root=FOLDER",
    )


def _held(folder: Path) -> str:
    try:
        names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    except OSError:
        return "what only another user may see"
    return ", ".join(some(names)) or "no folders"


def _refuse_links_and_special_files(found: Scan, links: Links) -> None:
    if found.unfollowed:
        raise _link_refused(found.folder, found.unfollowed[0], "it is a link to a folder")
    broken = [path for path in found.others if not path.suffix and path.is_symlink()]
    inside = found.folder.resolve()
    for path in (*(path for path in broken if not path.exists()), *found.images):
        _refuse_special(path)
        if links == "refuse" and path.is_symlink() and not path.resolve().is_relative_to(inside):
            why = f"it is a link out of the folder, to {path.resolve()}"
            raise _link_refused(found.folder, path, why)


def _refuse_special(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        leads = f" to {path.readlink()}" if path.is_symlink() else ""
        raise DataError(
            f"{path.name} cannot be used", where=str(path),
            why=f"{error.strerror}: is it a broken link{leads}?",
            fix="put back what it leads to, or move the link out of the folder",
        ) from error  # fmt: skip
    if not stat.S_ISREG(mode):
        raise DataError(
            f"{path.name} cannot be used", where=str(path),
            why="it is a pipe, socket or device, not a regular file",
            fix="move it out of the folder",
        )  # fmt: skip


def _link_refused(folder: Path, path: Path, why: str) -> DataError:
    copy = shlex.join(["cp", "-rL", str(folder), f"{folder}-copied"])
    return DataError(
        f"{path.name} cannot be used",
        where=str(path),
        why=f"{why}; links in a folder from elsewhere may lead to any file of yours",
        fix=f"if the links are your own: dataset.links=follow\notherwise a copy: {copy}",
    )


def _notes_of_others(others: Iterable[Path]) -> Iterator[str]:
    paths = sorted(others)
    if not paths:
        return
    kinds = [
        f"{len(names)} {suffix or 'without a suffix'} ({_names(map(Path, names))})"
        for suffix, names in by_suffix(map(str, paths)).items()
    ]
    yield f"{_count(paths, 'file')} left out, not named like images: {', '.join(some(kinds))}"
    pictures = [path for path in paths if _is_picture(path)]
    if pictures:
        them = "it is a picture" if len(pictures) == 1 else f"{len(pictures)} are pictures"
        yield f"of the files left out {them} by content: {_names(pictures)}; " + (
            "give them the suffix of their format, or convert them to PNG or JPEG"
        )


def _notes_of_what_is_no_data(found: Scan) -> Iterator[str]:
    names = sorted({path.name for path in found.hidden})
    if names:
        ignored = "what systems make, not people, is ignored"
        yield f"{ignored}: {_count(found.hidden, 'entry')} named {', '.join(some(names))}"
    if found.ours:
        folders = _names(sorted(found.ours), found.folder)
        yield f"what ae-cls wrote itself is ignored: {_count(found.ours, 'folder')}, {folders}"
    if found.loops:
        folders = _names(sorted(found.loops), found.folder)
        yield f"{_count(found.loops, 'link')} back to a folder above not followed: {folders}"


def _count(things: Iterable[object], word: str) -> str:
    count = len(list(things))
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{count} {word if count == 1 else plural}"


def _names(paths: Iterable[Path], folder: Path | None = None) -> str:
    return ", ".join(
        some([path.relative_to(folder).as_posix() if folder else path.name for path in paths], _FEW)
    )


def _is_picture(path: Path) -> bool:
    try:
        if not path.is_file():  # to open a pipe would be to wait for its writer
            return False
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        return False
    if start.startswith(b"RIFF"):
        return start[8:12] == b"WEBP"
    return start.startswith(_STARTS) or (start[4:8] == b"ftyp" and start[8:12] in _BRANDS)


def _relative(folder: Path, paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(sorted(path.relative_to(folder).as_posix() for path in paths))
