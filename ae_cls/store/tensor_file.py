"""What a safetensors file announces, checked before any of its tensors is made.

safetensors itself lets the last of two equal names win, and spends seconds on a million of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedIOBase, BytesIO
from typing import Literal, final

from pydantic import Field, NonNegativeInt

from ae_cls.errors import ModelFileError, some
from ae_cls.settings import Settings
from ae_cls.store.received import checked, json_object, not_ours

MOST_HEADER = 2**22
"""Bytes of the list of tensors: a network has hundreds, of a hundred bytes each."""
METADATA = "__metadata__"

_LENGTH = 8  # bytes that say how long the list is
_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip


@final
@dataclass(frozen=True)
class TensorFacts:
    """A tensor without its numbers.

    Attributes:
        dtype: as safetensors calls it, such as F32.
        shape: of any number of sides.
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * _BYTES[self.dtype]

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


@final
class _Listed(Settings):
    dtype: Literal[
        "BOOL", "U8", "I8", "U16", "I16", "F16", "BF16", "U32", "I32", "F32", "U64", "I64", "F64"
    ]
    shape: list[NonNegativeInt] = Field(max_length=8)
    data_offsets: list[NonNegativeInt] = Field(min_length=2, max_length=2)


def tensors_in(
    content: bytes, where: str, *, most_header: int = MOST_HEADER
) -> dict[str, TensorFacts]:
    """Name and facts of each tensor of a safetensors file.

    Args:
        content: of the file.
        where: its name, for messages.
        most_header: bytes that the list of tensors may have.

    Raises:
        ModelFileError: the list is too long or no strict JSON, or the tensors that it names do not
            lie side by side and fill the file.
    """
    return tensors_of(BytesIO(content), where, most_header=most_header)[0]


def tensors_of(
    file: BufferedIOBase, where: str, *, most_header: int = MOST_HEADER
) -> tuple[dict[str, TensorFacts], Mapping[str, str]]:
    """As `tensors_in`, of an open file, of which only the list is read; with its metadata."""
    size = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(_LENGTH), "little")
    if not 0 < length <= min(most_header, size - _LENGTH):
        raise not_ours(where, f"its list of tensors is cut, empty or too long: {length:,} bytes")
    plain = json_object(file.read(length), where)
    metadata = plain.pop(METADATA, {})
    listed = {name: checked(facts, _Listed, f"{where}: {name}") for name, facts in plain.items()}
    _refuse_gaps(listed, size - _LENGTH - length, where)
    tensors = {name: TensorFacts(facts.dtype, tuple(facts.shape)) for name, facts in listed.items()}
    for name, facts in tensors.items():
        begin, end = listed[name].data_offsets
        if facts.size != end - begin:
            raise not_ours(where, f"{name}: {facts} does not have {end - begin:,} bytes")
    return tensors, metadata if isinstance(metadata, dict) else {}


def _refuse_gaps(listed: Mapping[str, _Listed], size: int, where: str) -> None:
    place = 0
    for name, facts in sorted(listed.items(), key=lambda item: item[1].data_offsets):
        begin, end = facts.data_offsets
        if begin != place or end < begin:
            raise not_ours(where, f"{name}: its bytes are not those that follow on the others")
        place = end
    if place != size:
        raise not_ours(where, f"its tensors have {place:,} bytes, and there are {size:,}")


def refuse_misfits(
    expected: Mapping[str, TensorFacts], found: Mapping[str, TensorFacts], where: str
) -> None:
    """Every name, shape and type must fit.

    Raises:
        ModelFileError: with the first of those that do not, of each kind.
    """
    shared = sorted(expected.keys() & found.keys())
    wrong = {
        "missing": sorted(expected.keys() - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "of another shape or type": [
            f"{name} ({found[name]}, not {expected[name]})"
            for name in shared
            if found[name] != expected[name]
        ],
    }
    if any(wrong.values()):
        lines = [f"{kind}: {', '.join(some(names, 5))}" for kind, names in wrong.items() if names]
        raise ModelFileError(
            "the weights do not fit the description", where=where, why="\n".join(lines)
        )
