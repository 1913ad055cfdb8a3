"""How image files become pictures of one shape: values that training and predicting share."""

from dataclasses import dataclass
from typing import Literal, final

Fit = Literal["crop", "pad", "stretch"]
Background = int | tuple[int, int, int]


@final
@dataclass(frozen=True)
class Decoding:
    """What a user can say about the numbers in image files and their way into the frame.

    Attributes:
        fit: crop: fill the frame and cut off the rest; pad: show everything; stretch: bring both
            sides to size, whatever that does to the proportions.
        black: the number that becomes 0, in the file's own units; None: the type's.
        white: the number that becomes 255, in the file's own units; None: the type's.
        background: grey level or colour, 0 to 255, behind transparent pixels and around padded
            pictures.
        bands: which bands of a file become the channels, counted from 1; None: its colours.
    """

    fit: Fit = "pad"
    black: float | None = None
    white: float | None = None
    background: Background = 255
    bands: tuple[int, ...] | None = None

    @property
    def background_colour(self) -> tuple[int, int, int]:
        """Red, green and blue of the background."""
        level = self.background
        return (level, level, level) if isinstance(level, int) else level


@final
@dataclass(frozen=True)
class Frame:
    """What every image is brought to, and how.

    Attributes:
        channels: 1 for grey (ITU-R 601 luma), 3 for colour.
        height: in pixels.
        width: in pixels.
        decoding: what the numbers in the file mean, and how the picture is fitted.
    """

    channels: int
    height: int
    width: int
    decoding: Decoding = Decoding()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.channels, self.height, self.width
