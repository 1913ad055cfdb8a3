"""Labels and groups in arrays that strangers saved: numbers, names, or one column a class."""

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Int64

from ae_cls.dataset.contract import NO_LABEL, Rows
from ae_cls.dataset.files.arrays import NamedArray
from ae_cls.dataset.files.spelling import plain
from ae_cls.dataset.table import LABELLED_PARTS, PartName
from ae_cls.errors import DataError, some

_TO_WHOLE = "labels = labels.astype(int), if each number is that of a class"
_TOO_LARGE = 2.0**63  # as a 64-bit integer it would be another number
_TO_NUMBERS = "labels = labels.argmax(1), if the largest number of a row is that of its class"


def labels_of_parts(
    arrays: Mapping[PartName, NamedArray], given: tuple[str, ...] | None, unlabelled: int
) -> tuple[dict[PartName, Int64[np.ndarray, " _"]], tuple[str, ...]]:
    """Class numbers of each part, and the names of the classes.

    Args:
        arrays: of labels, train among them; none where no image has a label.
        given: names of the classes; None: the labels themselves.
        unlabelled: images of the part that has no labels.

    Raises:
        DataError: a part has labels of another kind, or training lacks a class.
    """
    if not arrays:
        return {"unlabelled": np.full(unlabelled, NO_LABEL, np.int64)}, ()
    named = given or _names_of(arrays["train"])
    train = _numbers(arrays["train"], named)
    _refuse_untrained(arrays["train"], train, named)
    # From training alone: a class that only the test part has would else seem to be learnable.
    names = named or tuple(map(str, range(int(train.max()) + 1)))
    labels: dict[PartName, np.ndarray] = {"train": train}
    for part in arrays:
        labels[part] = _numbers(arrays[part], names)
    labels["unlabelled"] = np.full(unlabelled, NO_LABEL, np.int64)
    return labels, names


def notes_of_missing(labels: Mapping[PartName, Int64[np.ndarray, " _"]]) -> Iterator[str]:
    """How many images of each part have no label."""
    for part in LABELLED_PARTS:
        without = int((labels.get(part, np.empty(0)) == NO_LABEL).sum())
        if without:
            yield f"{without} images of {part} have no label: only pretraining sees them"


def _names_of(array: NamedArray) -> tuple[str, ...] | None:
    """The names of the classes if the labels are names, or have one column a class; else None.

    Names are in the order of their code points; columns have their numbers as names.

    Raises:
        DataError: a name is no text, or names differ in case, blanks or Unicode form only.
    """
    values = _one_column(array)
    if values.ndim == 1 and values.dtype.kind in "US":
        names = sorted({name for name in array.words(values) if name})
        _refuse_spellings(array, names)
        return tuple(names)
    if values.ndim == 2 and _is_one_hot(values):
        return tuple(map(str, range(values.shape[1])))
    return None


def _numbers(array: NamedArray, class_names: tuple[str, ...] | None) -> Int64[np.ndarray, " n"]:
    """Class numbers from 0, `NO_LABEL` where nothing is known.

    Without `class_names` any number from 0 is a class.

    Raises:
        DataError: not one label an image; a name or number of no class, with the first index.
    """
    values = _one_column(array)
    if values.ndim == 1 and values.dtype.kind in "US":
        return _numbers_of_words(array, array.words(values), class_names or ())
    if values.ndim == 2:
        return _numbers_of_columns(array, values, class_names)
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise array.wrong(
            f"its shape is {array.values.shape} of {array.values.dtype}; labels are n integers",
            "save one label an image: its number from 0, or its name",
        )
    if values.dtype.kind == "f":
        broken = ~(values == np.rint(values)) | np.isinf(values)
        array.refuse(values, broken, "no whole number", _TO_WHOLE)
    outside = ~(values >= NO_LABEL) if values.dtype.kind in "if" else np.zeros(len(values), bool)
    outside = outside | (values.astype(np.float64) >= _TOO_LARGE)
    if class_names is not None:
        outside = outside | (values >= len(class_names))
    classes = "classes" if class_names is None else f"{len(class_names)} classes"
    why = f"not a class (there are {classes}, counted from 0; -1 means no label)"
    array.refuse(values, outside, why, _fix_of_numbers(values, class_names))
    return values.astype(np.int64)


def _refuse_untrained(
    array: NamedArray, train: Int64[np.ndarray, " n"], class_names: tuple[str, ...] | None
) -> None:
    """Stop if training images of a class are missing.

    Args:
        array: of the labels for training, for the message.
        train: what they mean.
        class_names: of all classes; None: they are numbers, up to the largest one.

    Raises:
        DataError: with what the labels probably mean.
    """
    there = np.unique(train[train != NO_LABEL])
    count = int(there.max(initial=-1)) + 1 if class_names is None else len(class_names)
    if len(there) in (0, count):
        return
    gaps = np.flatnonzero(there != np.arange(len(there)))
    first = int(gaps[0]) if gaps.size else len(there)
    lacking = str(first) if class_names is None else class_names[first]
    why = f"the labels are {', '.join(some(there.astype(str).tolist()))}"
    if there.min() > 0:
        why = f"the labels begin at {there.min()}, and classes are counted from 0: {why}"
    if (train == NO_LABEL).any():
        why += "; -1 means no label"
    raise DataError(
        f"no training image has the label {lacking}",
        where=f"{array.file}: {array.name}",
        why=why,
        fix=_fix_of_gaps(there, has_none=bool((train == NO_LABEL).any())),
    )


def group_names(array: NamedArray, count: int) -> list[str]:
    """The name of the group of each image; empty for one that stands alone, as are -1 and "".

    Raises:
        DataError: not one number or name an image.
    """
    values = _one_column(array)
    if values.shape != (count,) or values.dtype.kind not in "iuUS":
        raise array.wrong(
            f"its shape is {array.values.shape} of {array.values.dtype}",
            f"save one integer or name an image, {count} in all; -1 for an image without a group",
        )
    if values.dtype.kind in "US":
        return array.words(values)
    return ["" if value < 0 else str(value) for value in values.tolist()]


def numbered(names: list[str]) -> Rows:
    """A number for each name, in the order of the names; -1 for empty ones."""
    order = {name: number for number, name in enumerate(sorted(set(names) - {""}))}
    return np.array([order.get(name, -1) for name in names], dtype=np.int64)


def _one_column(array: NamedArray) -> np.ndarray:
    values = array.values
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _refuse_spellings(array: NamedArray, names: list[str]) -> None:
    same: dict[str, str] = {}
    for name in names:
        other = same.setdefault(plain(name), name)
        if other != name:
            raise array.wrong(
                f"{other!a} and {name!a} differ in case, blanks or Unicode form only",
                "labels = np.char.lower(labels), or save numbers and class_names if both are meant",
            )


def _numbers_of_words(
    array: NamedArray, words: list[str], class_names: tuple[str, ...]
) -> Int64[np.ndarray, " n"]:
    order = {name: number for number, name in enumerate(class_names)} | {"": NO_LABEL}
    for index, word in enumerate(words):
        if word not in order:
            raise array.wrong(
                f"index {index} holds {word}: not a class; "
                f"these are {', '.join(some(class_names)) or 'none'}",
                "correct it, or give the class training images",
            )
    return np.array([order[word] for word in words], dtype=np.int64)


def _numbers_of_columns(
    array: NamedArray, values: np.ndarray, class_names: tuple[str, ...] | None
) -> Int64[np.ndarray, " n"]:
    shape = f"its shape is {values.shape} of {values.dtype}"
    if not _is_one_hot(values):
        raise array.wrong(f"{shape}, and not each row holds one 1 and else 0", _TO_NUMBERS)
    if class_names is not None and values.shape[1] != len(class_names):
        names = f"{len(class_names)} classes"
        raise array.wrong(f"{shape}, and there are {names}", "one column for each class")
    return values.argmax(1).astype(np.int64)


def _is_one_hot(values: np.ndarray) -> bool:
    if values.dtype.kind not in "biuf" or values.shape[1] < 2:
        return False
    ones = values == 1
    return bool((ones | (values == 0)).all() and (ones.sum(1) == 1).all())


def _fix_of_numbers(values: np.ndarray, class_names: tuple[str, ...] | None) -> str:
    if class_names is not None and values.min(initial=1) == 1:
        return "the labels begin at 1: labels = labels - 1"
    return "labels = np.unique(labels, return_inverse=True)[1] numbers the classes from 0"


def _fix_of_gaps(there: Rows, *, has_none: bool) -> str:
    if has_none and there.size == 1:
        return "labels = (labels > 0).astype(int), if -1 and 1 are two classes"
    if there.min() == 1 and there.size == there.max():
        return (
            "labels = np.where(labels < 0, -1, labels - 1)" if has_none else "labels = labels - 1"
        )
    return "labels = np.unique(labels, return_inverse=True)[1], if no class is missing" + (
        "; first take out those without a label" if has_none else ""
    )
