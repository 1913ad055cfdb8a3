"""Labels, and groups, that a regular expression reads from the paths of files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from ae_cls.dataset.files.image_file import ImageFile, ImageFiles, top_folder
from ae_cls.dataset.files.listing import Listing
from ae_cls.dataset.files.no_label import words_for_none
from ae_cls.dataset.files.parts import part_of
from ae_cls.dataset.table import PartName
from ae_cls.errors import DataError, some, typed

PARENT_FOLDER = "parent_folder"
"""In place of an expression for groups: the folder that a file lies in."""


def files_by_pattern(
    listing: Listing, pattern: re.Pattern[str], no_label: Sequence[str | int] | None = None
) -> ImageFiles:
    """The class that the expression finds in each path; a path without it is unlabelled.

    The class is what the group named label matched, else the first group, else the whole match.
    The part is what a group named part matched, train where it matched nothing; without such a
    group the folders train, valid and test say it, if there is one for training.

    Args:
        listing: all files.
        pattern: the expression.
        no_label: what it may find that is no class; None: the usual words.

    Raises:
        DataError: no path has a class, or what the group named part matched is no part.
    """
    part_folders: dict[str, PartName | None] = {
        folder: part_of(folder) for folder in listing.top_folders
    }
    if "train" not in part_folders.values():
        part_folders = {}
    files = [_file(path, pattern, part_folders) for path in listing.files]
    found = [file.label or "" for file in files]
    none = words_for_none(found, no_label, "dataset.label_pattern", _folders_of(listing))
    files = [_without(file) if file.label in none.words else file for file in files]
    without = [file.path for file in files if file.part == "unlabelled"]
    if len(without) == len(files):
        raise DataError(
            "no path matches the expression for labels",
            where=typed("dataset.label_pattern", pattern.pattern),
            why=f"the paths are {', '.join(some(without, 3))}",
            fix="an expression whose group named label matches the class: "
            + typed("dataset.label_pattern", "^(?P<label>[^/]+)/"),
        )
    note = f"{len(without)} images have no class by dataset.label_pattern and are unlabelled: "
    notes = (note + ", ".join(some(without, 3)),) if without else ()
    return ImageFiles(tuple(files), (*none.notes, *notes))


def with_groups(files: Sequence[ImageFile], pattern: str) -> ImageFiles:
    """The files, each with the group that the expression finds in its path.

    The group is the first group of the expression, else the whole match; a file whose path does not
    match stands alone. `parent_folder` groups by the folder that a file lies in.

    Raises:
        DataError: no path matches.
    """
    grouped = [replace(file, group=_group(file.path, pattern)) for file in files]
    alone = [file.path for file in grouped if file.group is None]
    if len(alone) == len(grouped):
        raise DataError(
            "no path matches the expression for groups",
            where=typed("dataset.group", pattern),
            why=f"the paths are {', '.join(some(alone, 3))}",
            fix="an expression that matches, or " + typed("dataset.group", PARENT_FOLDER),
        )
    count = len({file.group for file in grouped} - {None})
    note = f"dataset.group finds {count} groups in {len(grouped)} images"
    if alone:
        note += f"; {len(alone)} images match none and stand alone: {', '.join(some(alone, 3))}"
    return ImageFiles(tuple(grouped), (note,))


def _folders_of(listing: Listing) -> list[str]:
    """Names of folders, which are the classes that they say, but for those of unlabelled images."""
    names = {name for folder in listing.folders for name in folder.split("/")}
    return sorted(name for name in names if part_of(name) != "unlabelled")


def _without(file: ImageFile) -> ImageFile:
    return replace(file, part="unlabelled", label=None)


def _file(
    path: str, pattern: re.Pattern[str], part_folders: Mapping[str, PartName | None]
) -> ImageFile:
    match = pattern.search(path)
    label = _found(match, "label") if match else None
    if match is None or not label:
        return ImageFile(path, "unlabelled", None)
    if "part" in pattern.groupindex:
        part = _part(path, match["part"])
    else:
        part = part_folders.get(top_folder(path) or "") or "train"
    return ImageFile(path, part, None if part == "unlabelled" else label)


def _part(path: str, word: str | None) -> PartName:
    part = part_of(word) if word else "train"
    if part is None:
        raise DataError(
            f"{word} is not the name of a part",
            where=path,
            fix="let the group named part of dataset.label_pattern match train, valid or test",
        )
    return part


def _found(match: re.Match[str], name: str) -> str | None:
    if name in match.re.groupindex:
        return match[name]
    return match[1] if match.re.groups else match[0]


def _group(path: str, pattern: str) -> str | None:
    if pattern == PARENT_FOLDER:
        return PurePosixPath(path).parent.as_posix()
    match = re.search(pattern, path)
    return _found(match, "group") if match else None
