"""Arrays and facts of a fitted head as files, and back; what is read is checked, never trusted."""

import json
from collections.abc import Mapping
from typing import final

import numpy as np
import safetensors.numpy
from pydantic import Field, JsonValue, ValidationError

from ae_cls.errors import ModelFileError
from ae_cls.head.fitted import Fact
from ae_cls.settings import Settings

ARRAYS, RECORD = "head.safetensors", "head.json"
_LONGEST_HEADER = 1 << 16  # bytes; a head has a dozen arrays

Arrays = dict[str, np.ndarray]
Layout = Mapping[str, tuple[type[np.generic], str]]
"""Name of each array: its type, and one letter a side; equal letters are equal numbers."""


@final
class Record(Settings):
    """head.json.

    Attributes:
        head: its name in the config.
        facts: what fitting chose and saw.
    """

    head: str
    class_count: int = Field(ge=2, description="columns of the probabilities")
    feature_count: int = Field(ge=1, description="numbers in a row of features")
    facts: dict[str, JsonValue]


def record_bytes(
    head: str, *, class_count: int, feature_count: int, facts: Mapping[str, Fact]
) -> bytes:
    """head.json."""
    record = {
        "head": head,
        "class_count": class_count,
        "feature_count": feature_count,
        "facts": dict(facts),
    }
    return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()


def read_record(files: Mapping[str, bytes], head: str) -> Record:
    """head.json, checked.

    Raises:
        ModelFileError: it is missing, damaged, or of another head.
    """
    try:
        record = Record.model_validate_json(present(files, RECORD))
    except ValidationError as error:
        raise ModelFileError(
            "the head's description is not one of ae-cls", where=RECORD, why=str(error)
        ) from error
    if record.head != head:
        raise ModelFileError(f"the head is {record.head!r}, not {head!r}", where=RECORD)
    return record


def array_bytes(arrays: Arrays) -> bytes:
    """head.safetensors."""
    return safetensors.numpy.save(arrays)


def read_arrays(files: Mapping[str, bytes], layout: Layout, sides: Mapping[str, int]) -> Arrays:
    """head.safetensors, checked against what it must hold.

    Args:
        files: of the head.
        layout: what must be there, nothing more.
        sides: letters of the layout that are known already.

    Raises:
        ModelFileError: naming the array that is missing, surplus, misshapen or not finite.
    """
    arrays = _parsed(present(files, ARRAYS))
    if arrays.keys() != layout.keys():
        raise ModelFileError(
            "the head does not hold the arrays that it must", where=ARRAYS,
            why=f"missing or surplus: {', '.join(sorted(arrays.keys() ^ layout.keys()))}",
        )  # fmt: skip
    known = dict(sides)
    for name, (kind, letters) in layout.items():
        _check(name, arrays[name], np.dtype(kind), letters, known)
    return arrays


def present(files: Mapping[str, bytes], name: str) -> bytes:
    """The file of that name.

    Raises:
        ModelFileError: there is none.
    """
    if name not in files:
        raise ModelFileError("a file of the head is missing", where=name)
    return files[name]


def _parsed(content: bytes) -> Arrays:
    if int.from_bytes(content[:8], "little") > _LONGEST_HEADER:
        raise ModelFileError("the head's list of arrays is too long", where=ARRAYS)
    try:
        return safetensors.numpy.load(content)
    except Exception as error:  # safetensors' own error has no public base class
        raise ModelFileError("the head cannot be read", where=ARRAYS, why=str(error)) from error


def _check(
    name: str,
    array: np.ndarray,
    kind: np.dtype,
    letters: str,
    known: dict[str, int],
) -> None:
    def refuse(why: str) -> ModelFileError:
        return ModelFileError(f"array {name!r} of the head is damaged", where=ARRAYS, why=why)

    if array.dtype != kind:
        raise refuse(f"it holds {array.dtype}, not {kind}")
    if array.ndim != len(letters) or 0 in array.shape:
        raise refuse(f"its shape is {array.shape}, not {len(letters)} sides")
    for letter, side in zip(letters, array.shape, strict=True):
        if side != known.setdefault(letter, side):
            raise refuse(f"its shape is {array.shape}: {side} should be {known[letter]}")
    if not np.isfinite(array).all():
        raise refuse("it holds numbers that are not finite")


def check_classes(classes: np.ndarray, class_count: int) -> None:
    """Class indices rise and lie below `class_count`.

    Raises:
        ModelFileError: they do not.
    """
    if not (np.all(np.diff(classes) > 0) and classes[0] >= 0 and classes[-1] < class_count):
        raise ModelFileError("array 'classes' of the head is damaged", where=ARRAYS)
