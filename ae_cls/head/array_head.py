"""Heads that are nothing but arrays: how all of them are saved and loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from ae_cls.errors import ModelFileError
from ae_cls.head.fitted import FittedHead
from ae_cls.head.head_files import (
    ARRAYS,
    RECORD,
    Layout,
    array_bytes,
    read_arrays,
    read_record,
    record_bytes,
)


@dataclass(frozen=True, kw_only=True)
class ArrayHead(FittedHead):
    """A head whose arrays are fields, named and described in `layout`; optional ones may be None.

    Attributes:
        head: its name in the config.
    """

    layout: ClassVar[Layout]
    """Of head.safetensors. One side must be "d", the features, and one "k", the classes."""

    head: str

    @final
    def files(self) -> dict[str, bytes]:
        record = record_bytes(
            self.head,
            class_count=self._side("k"),
            feature_count=self._side("d"),
            facts=self.facts,
        )
        fields = {name: getattr(self, name) for name in self.layout}
        arrays = {name: array for name, array in fields.items() if array is not None}
        return {ARRAYS: array_bytes(arrays), RECORD: record}

    @final
    @classmethod
    def load(cls, files: Mapping[str, bytes], head: str) -> FittedHead:
        record = read_record(files, head)
        sides = {"k": record.class_count, "d": record.feature_count}
        loaded = cls(head=head, facts=record.facts, **read_arrays(files, cls.layout, sides))
        if loaded.contradicts_itself():
            raise ModelFileError("the arrays of the head do not fit together", where=ARRAYS)
        return loaded

    def contradicts_itself(self) -> bool:
        """Whether arrays that are as the layout says cannot belong together."""
        return False

    def _side(self, letter: str) -> int:
        name = next(name for name, stored in self.layout.items() if letter in stored.sides)
        return getattr(self, name).shape[self.layout[name].sides.index(letter)]
