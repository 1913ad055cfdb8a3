"""What people write in place of a label where they have none."""

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, final

import numpy as np
from pydantic import Field

from ae_cls.dataset.contract import NO_LABEL
from ae_cls.dataset.files.arrays import NamedArray
from ae_cls.dataset.files.parts import part_of
from ae_cls.dataset.files.spelling import plain
from ae_cls.dataset.table import PartName
from ae_cls.errors import DataError

NoLabelWords = Annotated[
    tuple[str | int, ...] | None,
    Field(
        description="labels that mean that there is none, as an empty one does; null: unlabelled, "
        "?, nan and null; [] if all of these are classes"
    ),
]
"""The key `no_label` of every data set whose labels people write by hand."""

_USUAL = {"?", "??", "nan", "null", "<na>", "#n/a", "#na"}
# Some mean by these that there is no label, some a class, such as a wafer without a defect.
_DOUBTFUL = {"none", "na", "n/a", "unknown", "-1"}
_EMPTY = ""


@final
@dataclass(frozen=True)
class NoLabel:
    """Which of the labels of a data set mean that there is none, and what is to be said of it."""

    words: frozenset[str]
    notes: tuple[str, ...]

    def cleared(self, label: str) -> str:
        """The label, empty where it means that there is none."""
        return _EMPTY if label in self.words else label


def words_for_none(
    labels: Sequence[str], given: Sequence[str | int] | None, where: str, known: Sequence[str] = ()
) -> NoLabel:
    """Which of these labels mean that there is none.

    Args:
        labels: one an image, of those that people wrote.
        given: words that the user says; None: the usual ones.
        where: the table or array, for messages.
        known: names of classes, which are never doubted.

    Raises:
        DataError: a word may mean a class as well, and the user does not say which.
    """
    counts = Counter(label for label in labels if label and label not in known)
    if given is not None:
        said = {plain(str(word)) for word in given}
        return _noted({label: n for label, n in counts.items() if plain(label) in said}, where, "")
    doubtful = {label: count for label, count in counts.items() if plain(label) in _DOUBTFUL}
    if doubtful:
        raise _in_doubt(doubtful, where)
    usual = {label: count for label, count in counts.items() if _is_usual(label)}
    return _noted(usual, where, f"; if it is a class: {_word([])}")


def cleared_arrays(
    arrays: Mapping[PartName, NamedArray],
    given: Sequence[str | int] | None,
    known: Sequence[str] = (),
) -> tuple[dict[PartName, NamedArray], tuple[str, ...]]:
    """Arrays of labels in which only "" and `NO_LABEL` mean that there is none; and notes.

    Raises:
        DataError: a word may mean a class as well, and the user does not say which.
    """
    parts: dict[PartName, NamedArray] = {}
    notes: list[str] = []
    for part, array in arrays.items():
        values, found = _cleared(array, given, known)
        parts[part] = NamedArray(array.file, array.name, values)
        notes += found
    return parts, tuple(notes)


def _cleared(
    array: NamedArray, given: Sequence[str | int] | None, known: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    values = array.values
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1 or values.dtype.kind not in "iufUS":
        return values, ()
    if values.dtype.kind in "US":
        words = array.words(values)
        # Among numbers it means that there is no label, as it does in arrays of numbers.
        found = words_for_none(words, given, array.place, (*known, str(NO_LABEL)))
        return np.array([found.cleared(word) for word in words], dtype=np.str_), found.notes
    none = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
    numbers = [float(word) for word in given or () if is_number(word)]
    none |= np.isin(values, numbers)
    if not none.any():
        return values, ()
    return np.where(none, NO_LABEL, values), (
        f"{none.sum()} labels of {array.place} are {' or '.join(['nan', *map(str, given or ())])}, "
        "which means that there is none",
    )


def is_number(word: str | int) -> bool:
    """Whether a label is a number, written out."""
    try:
        return np.isfinite(float(word)).item()
    except ValueError:
        return False


def _is_usual(label: str) -> bool:
    return part_of(label) == "unlabelled" or plain(label) in _USUAL


def _noted(found: Mapping[str, int], where: str, otherwise: str) -> NoLabel:
    notes = (
        f"{count} images have the label {label} in {where}, which means that there is none: only "
        f"pretraining sees them{otherwise}"
        for label, count in sorted(found.items())
    )
    return NoLabel(frozenset(found), tuple(notes))


def _in_doubt(found: Mapping[str, int], where: str) -> DataError:
    words = sorted(found)
    held = ", ".join(f"{label} ({found[label]})" for label in words)
    return DataError(
        "some labels may be a class, or mean that there is no label",
        where=where,
        why=f"the labels are {held}",
        fix=f"if they mean that there is none: {_word(words)}\nif they are classes: {_word([])}",
    )


def _word(words: Sequence[str]) -> str:
    return shlex.quote(f"dataset.no_label=[{','.join(map(json.dumps, words))}]")
