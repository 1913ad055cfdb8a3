"""The base of every config object."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Width = Annotated[int, Field(ge=1, le=65536)]
"""Channels or units of one layer."""


class Settings(BaseModel):
    """Frozen values that refuse unknown keys, wrong types and numbers that are not finite.

    Fields have no defaults: the YAML holds the number, the class its name, type and range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
