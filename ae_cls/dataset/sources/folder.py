"""A folder of image files, decoded once."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, final

import numpy as np
from jaxtyping import Int64
from pydantic import Field, model_validator

from ae_cls.dataset.contract import NO_LABEL, Dataset, DatasetConfig
from ae_cls.dataset.files.decode import Fit
from ae_cls.dataset.files.image_table import Frame, decode_all
from ae_cls.dataset.files.label_csv import files_by_csv
from ae_cls.dataset.files.layout import ImageFile, files_by_folder
from ae_cls.dataset.files.listing import Listing, list_images
from ae_cls.dataset.files.published import data_folder
from ae_cls.dataset.table import PART_NAMES, PartName, with_labels
from ae_cls.errors import DataError, some
from ae_cls.settings import PathText

Side = Annotated[int, Field(ge=4, le=4096)]


@final
class FolderConfig(DatasetConfig):
    """Image files of one's own."""

    name: Literal["folder"]
    image_size: Side | tuple[Side, Side] = Field(
        description="height and width in pixels, or one number for both; from 4 to 4096"
    )
    channels: Literal[1, 3] = Field(description="1: all become grey; 3: all become colour")
    fit: Fit = Field(description="crop: fill the frame; pad: show all, on white; stretch")
    on_bad: Literal["error", "skip"] = Field(
        description="images that cannot be decoded: end the run, or leave them out and count them"
    )
    labels_csv: PathText | None = Field(
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
            notes=(*listing.notes, *(f"left out: {path}: {why}" for path, why in failed.items())),
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
        return Frame(self.channels, height, width, self.fit)

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
