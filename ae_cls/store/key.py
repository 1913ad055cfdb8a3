"""What the output of a stage follows from, and the name that this gives it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from ae_cls.settings import Settings

Json = str | int | float | bool | None | list[Any] | dict[str, Any]
"""What JSON can hold."""


@final
@dataclass(frozen=True)
class Key:
    """All that a stage reads, and nothing else.

    Attributes:
        stage: whose output it names; also the folder of its entries.
        inputs: everything that the output follows from; equal inputs give the same output.
        about: for people, such as the name of the data set; not part of the name.
    """

    stage: str
    inputs: Mapping[str, Json]
    about: Mapping[str, Json] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """128 bits of SHA-256 over `inputs`, in hexadecimal."""
        text = json.dumps(dict(self.inputs), sort_keys=True, allow_nan=False)
        return hashlib.sha256(f"{self.stage}\n{text}".encode()).hexdigest()[:32]

    def with_inputs(self, more: Mapping[str, Json]) -> "Key":
        """The key of an output that also follows from these."""
        return Key(self.stage, {**self.inputs, **more}, self.about)

    def as_dict(self) -> dict[str, Any]:
        """The key as JSON holds it."""
        return {"stage": self.stage, "inputs": dict(self.inputs), "about": dict(self.about)}


@final
class WrittenKey(Settings):
    """key.json of an entry.

    Attributes:
        inputs: None in what an older ae-cls wrote: of no use, but listed and pruned.
        told: what inputs were called then.
    """

    stage: str
    about: dict[str, Any]
    inputs: dict[str, Any] | None = None
    told: dict[str, Any] | None = None


@final
@dataclass(frozen=True)
class Change:
    """An input that differs between two keys; `None` where one of them lacks it."""

    key: str
    before: Json
    now: Json


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """The differences, each with its dotted key, in the order of `now`."""
    old, new = flat(before), flat(now)
    return [
        Change(key, old.get(key), new.get(key))
        for key in dict.fromkeys([*new, *old])
        if old.get(key) != new.get(key)
    ]


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    flattened: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flattened |= flat(value, f"{above}{key}.")
        else:
            flattened[above + key] = value
    return flattened
