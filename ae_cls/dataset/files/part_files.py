"""Which files in a folder hold which part of a data set, by their names."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ae_cls.dataset.files.parts import part_of
from ae_cls.dataset.table import PartName
from ae_cls.errors import DataError, some, typed


@final
@dataclass(frozen=True)
class PartFiles:
    """The files of each part, by code point, and notes of what was left out."""

    files: Mapping[PartName, Sequence[Path]]
    notes: tuple[str, ...] = ()


def files_of_parts(root: Path, suffixes: tuple[str, ...]) -> PartFiles:
    """The files of each part: `root` itself, or those in it and in folders called like parts.

    A name says the part by its first or its last word: train-00000-of-00002, digits_test. A single
    file of any name is for training.

    Raises:
        DataError: there are no such files, or none is for training.
    """
    if root.is_file():
        return PartFiles({"train": [root]})
    if not root.is_dir():
        raise DataError(
            "there is no such file or folder",
            where=typed("dataset.root", root),
            fix=f"dataset.root=FILE, a {suffixes[0]}, or a folder of them",
        )
    found = [path for path in sorted(root.rglob("*")) if path.name.lower().endswith(suffixes)]
    files = [path for path in found if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise DataError(
            f"there is no {suffixes[0]} file",
            where=typed("dataset.root", root),
            fix="dataset.root=FILE",
        )
    parts: dict[PartName | None, list[Path]] = defaultdict(list)
    for path in files:
        parts[_part(path, root)].append(path)
    if len(files) == 1:
        return PartFiles({"train": files})
    others = parts.pop(None, [])
    if not parts.get("train"):
        raise _no_train(root, files)
    names = ", ".join(some([path.relative_to(root).as_posix() for path in others], 3))
    notes = (f"{len(others)} files left out, not named like parts: {names}",) if others else ()
    return PartFiles({part: paths for part, paths in parts.items() if part is not None}, notes)


def _part(path: Path, root: Path) -> PartName | None:
    stem = path.name.partition(".")[0]
    words = re.split(r"[\W_]+", stem)
    folders = path.relative_to(root).parts[:-1]
    tried = (stem, words[0], words[-1], *reversed(folders))
    return next((part for part in map(part_of, tried) if part is not None), None)


def _no_train(root: Path, files: Sequence[Path]) -> DataError:
    names = [path.relative_to(root).as_posix() for path in files]
    return DataError(
        "no file is named like a training part",
        where=typed("dataset.root", root),
        why=f"there are {', '.join(some(names))}",
        fix="name them train and test, or give one of them: " + typed("dataset.root", files[0]),
    )
