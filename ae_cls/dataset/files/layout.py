"""What the folders say about the part and the class of the images in them."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import final

from ae_cls.dataset.files.listing import Listing
from ae_cls.dataset.table import PartName
from ae_cls.errors import DataError, some

PART_WORDS: dict[str, PartName] = {
    "train": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "unlabelled": "unlabelled",
    "unlabeled": "unlabelled",
}
"""Names of folders, and words in a table of labels, that stand for a part."""


@final
@dataclass(frozen=True)
class ImageFile:
    """An image file, its part, and the name of its class, which is None in the unlabelled part."""

    path: str
    part: PartName
    label: str | None


def files_by_folder(listing: Listing) -> list[ImageFile]:
    """The part and the class of each file, from the folders it lies in.

    Three layouts: class folders; `train`, `valid`, `test` with class folders in each; flat.
    The first two may also hold `unlabelled`; in a flat folder all images are unlabelled.

    Raises:
        DataError: the folders follow none of these layouts, or a class folder is empty.
    """
    parts = listing.top_folders & PART_WORDS.keys()
    classes = listing.top_folders - parts
    if "train" in parts:
        _refuse_beside_train(classes)
        files = [_in_part(path) for path in listing.files]
    elif parts - {"unlabelled", "unlabeled"}:
        raise _layout_error(f"there is {min(parts)} but no train", "give the folder above train")
    elif classes:
        files = [_in_class(path) for path in listing.files]
    else:
        files = [ImageFile(path, "unlabelled", None) for path in listing.files]
    _refuse_empty_classes(listing, split="train" in parts)
    return files


def _in_part(path: str) -> ImageFile:
    words = PurePosixPath(path).parts
    part = PART_WORDS.get(words[0])
    if part == "unlabelled":
        return ImageFile(path, part, None)
    if part is None or len(words) < 3:
        raise _layout_error(f"{path} lies in no class folder of a part", "train/CLASS/FILE")
    return ImageFile(path, part, words[1])


def _in_class(path: str) -> ImageFile:
    words = PurePosixPath(path).parts
    if PART_WORDS.get(words[0]) == "unlabelled":
        return ImageFile(path, "unlabelled", None)
    if len(words) < 2:
        raise _layout_error(
            f"{path} lies beside the class folders", "CLASS/FILE or unlabelled/FILE"
        )
    return ImageFile(path, "train", words[0])


def _refuse_beside_train(classes: frozenset[str]) -> None:
    if classes:
        raise _layout_error(
            f"beside train there is {', '.join(some(sorted(classes)))}",
            "only train, valid, test and unlabelled; if train is a class, use dataset.labels_csv",
        )


def _refuse_empty_classes(listing: Listing, *, split: bool) -> None:
    depth = 2 if split else 1
    full = {"/".join(path.split("/")[:depth]) for path in listing.files}
    empty = [
        folder
        for folder in listing.folders
        if folder.count("/") == depth - 1
        and PART_WORDS.get(folder.split("/")[0]) != "unlabelled"
        and folder not in full
    ]
    if empty:
        raise DataError(
            f"{len(empty)} class folders hold no image",
            where=", ".join(some(empty)),
            fix="put images there, or move the folders away",
        )


def _layout_error(why: str, fix: str) -> DataError:
    return DataError("the folders follow no known layout", where="dataset.root", why=why, fix=fix)
