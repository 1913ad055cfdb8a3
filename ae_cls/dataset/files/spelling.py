"""Labels that are spelt in several ways: Disc, disc and "disc "."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from ae_cls.dataset.files.image_file import ImageFile, ImageFiles
from ae_cls.errors import DataError, some

Spellings = Literal["refuse", "merge", "keep"]
"""What is done about labels that differ in case, blanks or Unicode form only."""


def settled(files: Sequence[ImageFile], spellings: Spellings) -> ImageFiles:
    """The files with labels of one spelling each, as the user says.

    Merged labels take the spelling that most files have; of equally many, the first by code point.

    Raises:
        DataError: there are several spellings, and nothing was said of them.
    """
    several = _several([file.label for file in files if file.label is not None])
    if not several or spellings == "keep":
        return ImageFiles(tuple(files))
    told = [
        " and ".join(f"{_shown(label, same)} ({count})" for label, count in same)
        for same in several
    ]
    if spellings == "refuse":
        raise DataError(
            "labels differ in case, blanks or Unicode form only",
            where=", ".join(_places(files, [same[0][0] for same in several])),
            why="\n".join(some(told)),
            fix="one class each: dataset.spellings=merge\n"
            "if they are different classes: dataset.spellings=keep",
        )
    best = {label: same[0][0] for same in several for label, _ in same}
    merged = (replace(file, label=best.get(file.label or "", file.label)) for file in files)
    return ImageFiles(tuple(merged), tuple(f"spellings of one class: {line}" for line in told))


def plain(label: str) -> str:
    """What is left of a label if neither case, blanks nor Unicode form matter."""
    folded = unicodedata.normalize("NFC", label).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def _several(labels: Sequence[str]) -> list[list[tuple[str, int]]]:
    """Labels and their counts, the most frequent first, of all that have several spellings."""
    same: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for label, count in Counter(labels).items():
        same[plain(label)].append((label, count))
    ordered = [sorted(found, key=lambda item: (-item[1], item[0])) for found in same.values()]
    return sorted(found for found in ordered if len(found) > 1)


def _shown(label: str, same: Sequence[tuple[str, int]]) -> str:
    """In quotes; with escapes where two Unicode forms would look the same."""
    composed = [unicodedata.normalize("NFC", other) for other, _ in same]
    return f'"{label}"' if len(set(composed)) == len(composed) else ascii(label)


def _places(files: Sequence[ImageFile], labels: Sequence[str]) -> list[str]:
    first = {label: next(file.path for file in files if file.label == label) for label in labels}
    return some(list(first.values()), 3)
