"""Arrays and facts of a fitted head as files, and back; what is read is checked, never trusted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import safetensors.numpy
from pydantic import Field, JsonValue

from ae_cls.errors import ModelFileError
from ae_cls.head.fitted import Fact
from ae_cls.settings import Settings
from ae_cls.store.received import checked, json_object
from ae_cls.store.tensor_file import tensors_in

ARRAYS, RECORD = "head.safetensors", "head.json"
_LONGEST_HEADER = 1 << 16  # bytes; a head has a dozen arrays

Arrays = dict[str, np.ndarray]


@final
@dataclass(frozen=True)
class Stored:
    """What an array of a head must be.

    Attributes:
        kind: type of its numbers, which must be finite.
        sides: one letter a side; equal letters are equal lengths within a head.
        positive: whether its numbers must be above 0.
        optional: whether a head may do without it.
    """

    kind: type[np.generic]
    sides: str
    positive: bool = False
    optional: bool = False


Layout = Mapping[str, Stored]
"""Each array of a head by name."""


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
    record = checked(json_object(present(files, RECORD), RECORD), Record, RECORD)
    if record.head != head:
        raise ModelFileError(f"the head is {record.head!r}, not {head!r}", where=RECORD)
    return record


def refuse_other_sizes(
    files: Mapping[str, bytes], head: str, *, class_count: int, feature_count: int | None
) -> None:
    """A head is of the classes and features that it is to be used with; None: not known.

    Raises:
        ModelFileError: it is of others, or its description is damaged.
    """
    record = read_record(files, head)
    features = record.feature_count if feature_count is None else feature_count
    if (record.class_count, record.feature_count) != (class_count, features):
        raise ModelFileError(
            "the head is of another model", where=RECORD,
            why=f"it tells {record.class_count} classes apart by {record.feature_count} features; "
            f"here are {class_count} classes and {features} features",
        )  # fmt: skip


def array_bytes(arrays: Arrays) -> bytes:
    """head.safetensors."""
    # safetensors writes an array's memory, whatever its order.
    return safetensors.numpy.save(
        {name: np.asarray(array, order="C") for name, array in arrays.items()}
    )


def read_arrays(files: Mapping[str, bytes], layout: Layout, sides: Mapping[str, int]) -> Arrays:
    """head.safetensors, checked against what it should hold.

    Args:
        files: of the head.
        layout: the arrays that there may be, all of them unless optional.
        sides: letters of the layout that are known already.

    Raises:
        ModelFileError: naming the array that is missing, surplus, misshapen, not finite or not
            positive.
    """
    arrays = _parsed(present(files, ARRAYS))
    needed = {name for name, stored in layout.items() if not stored.optional}
    if wrong := (needed - arrays.keys()) | (arrays.keys() - layout.keys()):
        raise ModelFileError(
            "the head does not hold exactly the arrays it should", where=ARRAYS,
            why=f"missing or surplus: {', '.join(sorted(wrong))}",
        )  # fmt: skip
    known = dict(sides)
    for name, stored in layout.items():
        if name in arrays and (flaw := _flaw(arrays[name], stored, known)):
            raise ModelFileError(f"array {name!r} of the head is damaged", where=ARRAYS, why=flaw)
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
    tensors_in(content, ARRAYS, most_header=_LONGEST_HEADER)
    try:
        return safetensors.numpy.load(content)
    except Exception as error:  # safetensors' own error has no public base class
        raise ModelFileError("the head cannot be read", where=ARRAYS, why=str(error)) from error


def _flaw(array: np.ndarray, stored: Stored, known: dict[str, int]) -> str | None:
    """What is wrong with an array; sides that it is the first to have become known."""
    if array.dtype != np.dtype(stored.kind):
        return f"it holds {array.dtype}, not {np.dtype(stored.kind)}"
    if array.ndim != len(stored.sides) or 0 in array.shape:
        return f"its shape is {array.shape}, not {len(stored.sides)} sides"
    for letter, side in zip(stored.sides, array.shape, strict=True):
        if side != known.setdefault(letter, side):
            return f"its shape is {array.shape}: {side} should be {known[letter]}"
    if not np.isfinite(array).all():
        return "it holds numbers that are not finite"
    if stored.positive and not (array > 0).all():
        return "it holds numbers that are not above 0"
    return None
