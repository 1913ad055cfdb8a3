"""What the options that read image files share: their frame, and what is refused."""

from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Bool
from pydantic import Field, model_validator

from ae_cls.dataset.contract import DatasetConfig
from ae_cls.dataset.decoding import Decoding, Fit, Frame
from ae_cls.dataset.facts import ImageFacts
from ae_cls.dataset.files.published import data_folder
from ae_cls.dataset.noticed import refuse_flattened
from ae_cls.dataset.range_in_use import refuse_unused_range
from ae_cls.errors import DataError, some

Side = Annotated[int, Field(ge=4, le=4096)]
Level = Annotated[int, Field(ge=0, le=255)]
Band = Annotated[int, Field(ge=1, le=65535)]


class ImageFilesConfig(DatasetConfig, ABC):
    """The keys of every option that decodes image files."""

    image_size: Side | tuple[Side, Side] = Field(
        description="height and width in pixels, or one number for both; from 4 to 4096"
    )
    channels: Literal[1, 3] = Field(description="1: all become grey; 3: all become colour")
    fit: Fit = Field(
        description="crop: fill the frame and cut off the rest; pad: show all, on the background; "
        "stretch: change the proportions"
    )
    black: float | None = Field(
        description="number in the files that becomes black, in their own units (of files of 8 "
        "bits and fewer: 0 to 255); with white; null: 0, or what the file says"
    )
    white: float | None = Field(
        description="number in the files that becomes white, in their own units (of files of 8 "
        "bits and fewer: 0 to 255); with black; null: the largest of the type, 1 for floats"
    )
    background: Level | tuple[Level, Level, Level] = Field(
        description="grey level, or red, green and blue, from 0 to 255: behind transparent pixels "
        "and around padded pictures"
    )
    bands: tuple[Band, ...] | None = Field(
        description="bands of each file that become the channels, counted from 1, transparency "
        "being one of them; null: the colours"
    )
    on_bad: Literal["error", "skip"] = Field(
        description="images that cannot be decoded, and equal ones under two labels: end the run, "
        "or leave the former out and keep the latter, and say so"
    )

    @model_validator(mode="after")
    def _black_is_not_white(self) -> "ImageFilesConfig":
        if (self.black is None) != (self.white is None):
            raise ValueError("black, white: give both, for example black=180 white=340")
        if self.black is not None and self.black == self.white:
            raise ValueError("black, white: they must differ")
        return self

    @model_validator(mode="after")
    def _each_channel_has_a_band(self) -> "ImageFilesConfig":
        if self.bands is not None and len(self.bands) != self.channels:
            raise ValueError(
                f"bands: there are {len(self.bands)}, and channels={self.channels}: give as many"
            )
        return self

    @property
    def refuses_contradictions(self) -> bool:
        return self.on_bad == "error"

    @property
    def decoding(self) -> Decoding:
        """What these keys say about the numbers in the files."""
        return Decoding(self.fit, self.black, self.white, self.background, self.bands)

    @property
    def frame(self) -> Frame:
        """What every image is brought to."""
        size = self.image_size
        height, width = (size, size) if isinstance(size, int) else size
        return Frame(self.channels, height, width, self.decoding)

    def refuse_unclear(
        self, facts: ImageFacts, names: Sequence[str], trained: Bool[np.ndarray, " n"]
    ) -> None:
        """Refuse what can be decoded but would not show what the files hold.

        Args:
            facts: of all images.
            names: of each of them, for messages.
            trained: which of them are for training.

        Raises:
            DataError: the images use a small part of the range, or decoding made them plain.
        """
        where = f"dataset.root={data_folder(self.root)}"
        refuse_unused_range(facts, names, where, self.decoding)
        refuse_flattened(facts, names, trained, where, self.decoding)

    def refuse_failures(self, failed: Mapping[str, str]) -> None:
        """Refuse images that cannot be decoded, unless they may be left out.

        Args:
            failed: why, by the name of the image.

        Raises:
            DataError: there are any.
        """
        if failed and self.on_bad == "error":
            reasons = [f"{path}: {why}" for path, why in failed.items()]
            shown = some(reasons)
            listed = "" if shown == reasons else "; ae-cls check lists them all in findings.json"
            raise DataError(
                f"{len(failed)} image{'s' * (len(failed) > 1)} cannot be decoded",
                where=f"dataset.root={data_folder(self.root)}",
                why="\n".join(shown),
                fix=f"replace the files, or leave them out with dataset.on_bad=skip{listed}",
            )
