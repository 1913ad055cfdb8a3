"""What every composed command needs to know."""

from abc import ABC

from pydantic import Field

from ae_cls.compute import Precision
from ae_cls.settings import Settings


class Described(Settings, ABC):
    """The keys that all of them share."""

    seed: int = Field(ge=0, lt=2**32, description="every random draw follows from it")
    device: str = Field(
        pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto takes a GPU where there is one"
    )
    precision: Precision = Field(
        description="of matrix products; auto takes bf16 where the hardware multiplies it"
    )
    threads: int | None = Field(ge=1, le=1024, description="CPU threads; null: all cores")
    outputs: str = Field(min_length=1, description="folder under which run folders are made")
    folder: str | None = Field(
        min_length=1, description="the run folder itself; null: a new one under outputs"
    )
