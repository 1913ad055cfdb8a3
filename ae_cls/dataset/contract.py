"""What every data set gives: images, labels, class names, official parts, and what it is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from pydantic import Field, model_validator
from torch import Tensor

from ae_cls.dataset.copies import Copies, joined
from ae_cls.dataset.decoding import Decoding
from ae_cls.dataset.facts import ImageFacts
from ae_cls.settings import KeptPath, Settings

NO_LABEL = -1

ImageShape = tuple[int, int, int]
"""Channels (1 grey, 3 colour), height and width in pixels."""

# Anonymous: a named size would have to be the same for all parts of one data set.
Rows = Int64[np.ndarray, " _"]
"""Positions in `Dataset.images`."""


@runtime_checkable
class ImageTable(Protocol):
    """Bytes (n, c, h, w), read by row: a tensor, or `StoredImages` if memory may not hold them."""

    @property
    def shape(self) -> torch.Size:
        """Images, channels, height, width."""
        ...

    def __len__(self) -> int: ...

    def index_select(
        self, dim: Literal[0], index: Int64[Tensor, " b"], /
    ) -> UInt8[Tensor, "b c h w"]:
        """The images of these rows, as a copy; of a tensor many times as fast as `images[rows]`."""
        ...


@final
@dataclass(frozen=True)
class Dataset:
    """All images of a data set as one table; its parts are rows of that table.

    Attributes:
        name: the word of the config group.
        images: bytes, in memory or in a file.
        labels: class index, `NO_LABEL` where it is unknown.
        class_names: in the order of the class index.
        train: official training rows; validation is taken from them unless `valid` has rows.
        valid: official validation rows; empty for most data sets.
        test: official test rows; empty when there is no official test set.
        unlabelled: rows that only pretraining may use.
        paths: a relative path for each row if the images were files; otherwise empty.
        mirrored_is_same: whether a mirror image keeps its class (clothes yes, digits no).
        left_out: relative paths of files that could not be decoded, which have no row here.
        notes: what was noticed or decided while reading, one sentence each, for people.
        groups: number of the group of each row (a patient, a camera), -1 for a row that stands
            alone; rows of one group stay in one part where the split is ours; None: no groups.
        images_sha256: hash of all images; empty where nobody has asked for it (see `read`).
        copies: which images are copies of each other; None where nobody has looked (see `read`).
        facts: what was seen in the image file of each row; None where images were no files.
    """

    name: str
    images: ImageTable
    labels: Int64[Tensor, " n"]
    class_names: tuple[str, ...]
    train: Rows
    valid: Rows
    test: Rows
    unlabelled: Rows
    paths: tuple[str, ...]
    mirrored_is_same: bool
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    groups: Rows | None = None
    images_sha256: str = ""
    copies: Copies | None = None
    facts: ImageFacts | None = None

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height, width."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def name_of(self, row: int) -> str:
        """For people: the path of a file, or the place in the table."""
        return self.paths[row] if self.paths else f"row {row}"

    @property
    def bonds(self) -> Rows:
        """A number for each row, the same for rows that must stay in one part.

        These are copies of one picture, and the pictures of one group.
        """
        alike = [] if self.copies is None else [self.copies.alike]
        groups = [] if self.groups is None else [self.groups]
        return joined(len(self.labels), [*alike, *groups])

    def labels_of(self, rows: Int64[np.ndarray, " rows"]) -> Int64[np.ndarray, " rows"]:
        """The class index of each row, `NO_LABEL` where it is unknown."""
        return self.labels[torch.from_numpy(rows)].numpy()


class About(Settings):
    """What a data set is and who made it."""

    licence: str = Field(description="licence as its authors state it")
    source: str = Field(description="address where it is published")
    citation: str = Field(description="the publication to cite")


class DatasetConfig(Settings, ABC):
    """The contract of every option of the group `dataset`."""

    own_files: ClassVar[tuple[str, str] | None] = None
    """What the user's own `root` is, and an example; None: somebody publishes the data set."""

    about: About
    root: KeptPath | None = Field(
        description="folder that holds the files; null: AE_CLS_DATA, else the user's data folder"
    )
    download: bool = Field(description="fetch missing files; nothing is ever downloaded unasked")

    @model_validator(mode="after")
    def _own_files_are_given(self) -> "DatasetConfig":
        if self.own_files and not self.root:
            kind, example = self.own_files
            raise ValueError(f"root: say which {kind}, for example dataset.root={example}")
        if self.own_files and self.download:
            raise ValueError("download: ae-cls cannot fetch files of your own; leave it false")
        return self

    @property
    def refuses_contradictions(self) -> bool:
        """Whether equal images with different labels end the run."""
        return False

    @property
    def decoding(self) -> Decoding | None:
        """How image files become pictures of this data set; None: it reads no image files."""
        return None

    @abstractmethod
    def load(self) -> Dataset:
        """All images and labels.

        Raises:
            DataError: files are missing or unreadable; the message names the folders searched, the
                files expected and the command that fetches them.
        """
