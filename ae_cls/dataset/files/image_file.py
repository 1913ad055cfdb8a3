"""What is known of an image file before it is opened."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import final

from ae_cls.dataset.table import PartName


@final
@dataclass(frozen=True)
class ImageFile:
    """An image file and what its place or a table says of it.

    Attributes:
        path: relative, with forward slashes.
        part: of the data set.
        label: name of its class; None in the unlabelled part.
        group: name of the patient, camera or series that it belongs to; None: it stands alone.
    """

    path: str
    part: PartName
    label: str | None
    group: str | None = None


@final
@dataclass(frozen=True)
class ImageFiles:
    """Image files, and what was noticed or decided about them, one sentence each."""

    files: tuple[ImageFile, ...]
    notes: tuple[str, ...] = ()


def top_folder(path: str) -> str | None:
    """The first folder of a relative path; None for a file that lies in no folder."""
    words = PurePosixPath(path).parts
    return words[0] if len(words) > 1 else None
