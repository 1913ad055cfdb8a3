"""The base of every config object."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Width = Annotated[int, Field(ge=1, le=65536)]
"""Channels or units of one layer."""

Precision = Literal["auto", "fp32", "bf16"]
"""Of matrix products, as the user names it."""

Threads = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=1, le=1024)],
    BeforeValidator(lambda given: "auto" if given is None else given),  # as older configs say it
]
"""Of the CPU: a number, or as many of the cores as are fastest at the time."""

PathText = Annotated[str, Field(json_schema_extra={"format": "path"})]
"""A file or folder. Its key stands in `configs.PATH_KEYS`, so that any name can be typed for it."""


def absolute(path: str) -> str:
    """The path from the root on; nothing stays nothing."""
    # expanduser leaves a home that is not known here as it is.
    return str(Path(os.path.expanduser(path)).absolute()) if path else path  # noqa: PTH111


KeptPath = Annotated[PathText, AfterValidator(absolute)]
"""A path that is kept absolute: whoever reads it again, in whatever folder, finds the same."""

Value = TypeVar("Value")


def _in_a_tuple(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, list | tuple) else (given,)


OneOrMore = Annotated[tuple[Value, ...], BeforeValidator(_in_a_tuple), Field(min_length=1)]
"""Values to choose from; a single one may be given as it is, as the words of a search do."""


class Settings(BaseModel):
    """Frozen values that refuse unknown keys, wrong types and numbers that are not finite.

    Fields have no defaults: the YAML holds the number, the class its name, type and range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
