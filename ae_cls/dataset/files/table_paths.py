"""Which file each path in a table means, and where it is instead if there is none."""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import PurePosixPath, PureWindowsPath
from posixpath import splitext
from typing import final

from ae_cls.dataset.files.decode import SUFFIXES
from ae_cls.dataset.files.listing import Listing
from ae_cls.errors import some, typed

_MOST_FOLDERS = 20  # that are tried


@final
@dataclass(frozen=True)
class Completion:
    """What is put before and after the paths of a table.

    Attributes:
        folder: relative; empty: nothing.
        suffix: such as .png; None: where a path has none, the only one that there is.
        notes: what was found by itself.
        advice: words to type that would find more files.
    """

    folder: str
    suffix: str | None
    notes: tuple[str, ...] = ()
    advice: str = ""


def completion(
    listing: Listing, paths: Sequence[str], folder: str | None, suffix: str | None
) -> Completion:
    """What the user says; else the root or, if the first is not there, the only folder with all."""
    suffix = f".{suffix.lstrip('.')}" if suffix else None
    plain = Completion(PurePosixPath(_slashes(folder or "")).as_posix(), suffix)
    at_root = TablePaths(listing, plain)
    if folder is not None or not paths or at_root.file_of(paths[0])[0] is not None:
        return plain
    fitting = [
        other
        for other in at_root.folders_with(paths[0])
        if TablePaths(listing, Completion(other, suffix)).has_all(paths)
    ]
    if len(fitting) == 1:
        note = f"the paths of the table are relative to {fitting[0]}"
        return Completion(fitting[0], suffix, (note,))
    words = [typed("dataset.image_folder", other) for other in fitting]
    return Completion(plain.folder, suffix, advice="\nor ".join(words))


@final
class TablePaths:
    """The files that paths mean.

    Args:
        listing: all files.
        completed: what is put before and after the paths.
    """

    def __init__(self, listing: Listing, completed: Completion) -> None:
        self._listing, self._completed = listing, completed
        self._start = "" if completed.folder == "." else f"{completed.folder}/"
        self._files = set(listing.files)

    @cached_property
    def _by_form(self) -> Mapping[str, list[str]]:
        return _grouped(self._listing.files, _composed)

    @cached_property
    def _by_stem(self) -> Mapping[str, list[str]]:
        return _grouped(self._listing.files, _stem)

    @cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        return _grouped(self._listing.files, _loose_name)

    @cached_property
    def _left_out(self) -> Mapping[str, list[str]]:
        return _grouped((*self._listing.others, *self._listing.hidden), _loose_name)

    def file_of(self, written: str) -> tuple[str | None, str]:
        """The file and an empty text, or None and why there is none."""
        # Nearly all paths are plain, and to take them apart would take a hundred times as long.
        plain = f"{self._start}{written}{self._completed.suffix or ''}"
        if plain in self._files:
            return plain, ""
        ends = self._by_stem.get(plain, ())
        if len(ends) == 1 and self._completed.suffix is None and _has_no_suffix(plain):
            return ends[0], ""
        return self._odd(written)

    def _odd(self, written: str) -> tuple[str | None, str]:
        path = None
        for text in dict.fromkeys([written, written.strip(), _slashes(written.strip())]):
            path = self._relative(text)
            if path in self._files:
                return path, ""
        if path is None:
            return None, f"{written} leads out of the folder{self._nearby(written)}"
        return self._near(written, path)

    def has_all(self, paths: Iterable[str]) -> bool:
        """Whether each path means a file."""
        return all(self.file_of(path)[0] is not None for path in paths)

    def folders_with(self, written: str) -> list[str]:
        """The folders below which this path would mean a file."""
        text = _slashes(written.strip()).removeprefix("./")
        tail = PurePosixPath(text + (self._completed.suffix or ""))
        near = self._by_name.get(_loose_name(tail.as_posix()), [])
        found = [path for path in near if _ends_with(path, tail)]
        depth = len(tail.parts)
        folders = {PurePosixPath(*PurePosixPath(path).parts[:-depth]).as_posix() for path in found}
        return sorted(folders - {"."})[:_MOST_FOLDERS]

    def example(self) -> str:
        """How the path of a file is written here."""
        folder = self._completed.folder
        start = "" if folder == "." else f"{folder}/"
        path = next((path for path in self._listing.files if path.startswith(start)), None)
        return f"paths are relative to {self._listing.folder / folder}" + (
            f", as in {path.removeprefix(start)}" if path else ", which holds no image"
        )

    def _relative(self, text: str) -> str | None:
        """The path below the root; None if it leads elsewhere."""
        path = PurePosixPath(text)
        if path.is_absolute():
            root = PurePosixPath(self._listing.folder.absolute())
            return path.relative_to(root).as_posix() if path.is_relative_to(root) else None
        if ".." in path.parts or PureWindowsPath(text).drive:
            return None
        end = self._completed.suffix or ""
        end = "" if text.lower().endswith(end.lower()) else end
        return (PurePosixPath(self._completed.folder) / f"{text}{end}").as_posix()

    def _near(self, written: str, path: str) -> tuple[str | None, str]:
        same = self._by_form.get(_composed(path), [])
        if len(same) == 1:  # macOS writes names of files in another Unicode form than tables
            return same[0], ""
        ends = self._by_stem.get(path, []) if _has_no_suffix(path) else []
        if len(ends) == 1 and self._completed.suffix is None:
            return ends[0], ""
        if len(ends) > 1:
            word = typed("dataset.image_suffix", PurePosixPath(ends[0]).suffix)
            return None, f"{written} is there as {' and '.join(some(ends, 3))}: {word}"
        return None, f"{written} does not exist, or does not have the suffix of an image" + (
            self._nearby(path)
        )

    def _nearby(self, path: str) -> str:
        name = _loose_name(_slashes(path))
        if near := self._by_name.get(name):
            alike = {other: _folders_alike(_slashes(path), other) for other in near}
            most = [other for other in near if alike[other] == max(alike.values())]
            return f"; it is there as {' and '.join(some(most, 2))}"
        if left_out := self._left_out.get(name):
            return f"; {left_out[0]} is there, but was left out"
        return ""


def _grouped(paths: Iterable[str], key: Callable[[str], str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        found[key(path)].append(path)
    return found


def _ends_with(path: str, tail: PurePosixPath) -> bool:
    words = PurePosixPath(path).parts[-len(tail.parts) :]
    end = PurePosixPath(*words)
    return end == tail or (_has_no_suffix(tail.as_posix()) and end.with_suffix("") == tail)


def _folders_alike(path: str, other: str) -> int:
    """How many of the last folders of both are called alike, whatever their case."""
    folders = (PurePosixPath(_composed(each).casefold()).parts[-2::-1] for each in (path, other))
    pairs = zip(*folders, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _slashes(path: str) -> str:
    return path.replace("\\", "/")


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _stem(path: str) -> str:
    return splitext(path)[0]


def _has_no_suffix(path: str) -> bool:
    return splitext(path)[1].lower() not in SUFFIXES


def _loose_name(path: str) -> str:
    """The name without folder, suffix, case and Unicode form."""
    name = path.rstrip("/").rpartition("/")[2]
    return _composed(name if _has_no_suffix(name) else _stem(name)).casefold()
