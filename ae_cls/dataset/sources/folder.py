"""A folder of image files, decoded once."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, final

import numpy as np
from jaxtyping import Int64
from pydantic import Field, model_validator

from ae_cls.dataset.contract import NO_LABEL, Dataset, DatasetConfig
from ae_cls.dataset.decoding import Decoding, Fit, Frame
from ae_cls.dataset.facts import ImageFacts
from ae_cls.dataset.files.image_table import decode_all
from ae_cls.dataset.files.label_csv import files_by_csv
from ae_cls.dataset.files.layout import ImageFile, files_by_folder
from ae_cls.dataset.files.listing import Listing, list_images
from ae_cls.dataset.files.published import data_folder
from ae_cls.dataset.noticed import notes_of, refuse_flattened
from ae_cls.dataset.range_in_use import refuse_unused_range
from ae_cls.dataset.table import PART_NAMES, PartName, with_labels
from ae_cls.errors import DataError, some

Side = Annotated[int, Field(ge=4, le=4096)]
Level = Annotated[int, Field(ge=0, le=255)]
Band = Annotated[int, Field(ge=1, le=65535)]


@final
class FolderConfig(DatasetConfig):
    """Image files of one's own."""

    name: Literal["folder"]
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
        description="images that cannot be decoded: end the run, or leave them out and count them"
    )
    labels_csv: str | None = Field(
        description="CSV file with the columns path, label and, if wanted, split; below root"
    )
    mirrored_is_same: bool = Field(description="whether a mirror image keeps its class")

    @model_validator(mode="after")
    def _root_is_given(self) -> "FolderConfig":
        if not self.root:
            raise ValueError("root: say which folder, for example dataset.root=photos")
        if self.download:
            raise ValueError("download: nobody publishes your folder; leave it false")
        return self

    @model_validator(mode="after")
    def _black_is_not_white(self) -> "FolderConfig":
        if (self.black is None) != (self.white is None):
            raise ValueError("black, white: give both, for example black=180 white=340")
        if self.black is not None and self.black == self.white:
            raise ValueError("black, white: they must differ")
        return self

    @model_validator(mode="after")
    def _each_channel_has_a_band(self) -> "FolderConfig":
        if self.bands is not None and len(self.bands) != self.channels:
            raise ValueError(
                f"bands: there are {len(self.bands)}, and channels={self.channels}: give as many"
            )
        return self

    @property
    def decoding(self) -> Decoding:
        """What these keys say about the numbers in the files."""
        return Decoding(self.fit, self.black, self.white, self.background, self.bands)

    def load(self) -> Dataset:
        folder = data_folder(self.root)
        listing = list_images(folder)
        files = self._files(listing)
        class_names = _class_names(files)
        decoded = decode_all([folder / file.path for file in files], self._frame())
        failed = {files[place].path: why for place, why in decoded.failures.items()}
        self._refuse_failures(failed)
        kept = [file for file in files if file.path not in failed]
        _refuse_lost_classes(kept, class_names)
        facts = decoded.facts
        assert facts is not None  # as some image was decoded
        self._refuse_unclear(facts, kept)
        dataset = with_labels(
            "folder",
            decoded.images,
            _labels(kept, class_names),
            class_names=class_names,
            mirrored_is_same=self.mirrored_is_same,
        )
        return replace(
            dataset,
            paths=tuple(file.path for file in kept),
            left_out=tuple(failed),
            facts=facts,
            notes=(
                *listing.notes,
                *(f"left out: {path}: {why}" for path, why in failed.items()),
                *notes_of(facts, [file.path for file in kept], self._frame()),
            ),
        )

    def _files(self, listing: Listing) -> list[ImageFile]:
        """In the order of their rows."""
        if not listing.files:
            raise DataError("there are no image files", where=f"dataset.root={listing.folder}")
        if self.labels_csv is None:
            files = files_by_folder(listing)
        else:
            files = files_by_csv(listing, listing.folder / self.labels_csv)
        return sorted(files, key=lambda file: (PART_NAMES.index(file.part), file.path))

    def _frame(self) -> Frame:
        size = self.image_size
        height, width = (size, size) if isinstance(size, int) else size
        return Frame(self.channels, height, width, self.decoding)

    def _refuse_unclear(self, facts: ImageFacts, files: list[ImageFile]) -> None:
        """Refuse what can be decoded but would not show what the files hold."""
        paths, where = [file.path for file in files], f"dataset.root={self.root}"
        refuse_unused_range(facts, paths, where, self.decoding)
        trained = np.array([file.part in ("train", "unlabelled") for file in files])
        refuse_flattened(facts, paths, trained, where, self.decoding)

    def _refuse_failures(self, failed: Mapping[str, str]) -> None:
        if failed and self.on_bad == "error":
            reasons = [f"{path}: {why}" for path, why in failed.items()]
            raise DataError(
                f"{len(failed)} images cannot be decoded",
                where=f"dataset.root={self.root}",
                why="\n".join(some(reasons)),
                fix="replace the files, or leave them out with dataset.on_bad=skip",
            )


def _class_names(files: list[ImageFile]) -> tuple[str, ...]:
    """The classes of the training part, by code point: one list for all parts."""
    trained = {file.label for file in files if file.part == "train" and file.label}
    for file in files:
        if file.label is not None and file.label not in trained:
            raise DataError(
                f"the class {file.label} is not among the training images",
                where=file.path,
                why=f"training has {', '.join(some(sorted(trained)))}",
                fix="rename it, give it training images, or move it out of the folder",
            )
    return tuple(sorted(trained))


def _refuse_lost_classes(kept: list[ImageFile], class_names: tuple[str, ...]) -> None:
    left = {file.label for file in kept if file.part == "train"}
    lost = [name for name in class_names if name not in left]
    if lost or not kept:
        raise DataError(
            "no training image can be decoded of " + (", ".join(some(lost)) or "any class"),
            where="dataset.root",
            fix="replace the files",
        )


def _labels(
    files: list[ImageFile], class_names: tuple[str, ...]
) -> dict[PartName, Int64[np.ndarray, " _"]]:
    """The class index of each file, part by part."""
    number: dict[str | None, int] = {name: index for index, name in enumerate(class_names)}
    number[None] = NO_LABEL
    return {
        part: np.array([number[file.label] for file in files if file.part == part], np.int64)
        for part in PART_NAMES
    }
