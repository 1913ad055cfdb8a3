"""What the folders say about the part and the class of the images in them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from ae_cls.dataset.files import layout_advice as advice
from ae_cls.dataset.files.image_file import ImageFile, ImageFiles, top_folder
from ae_cls.dataset.files.listing import Listing
from ae_cls.dataset.files.parts import like_parts, part_of
from ae_cls.dataset.table import PartName


def files_by_folder(listing: Listing) -> ImageFiles:
    """The part and the class of each file, from the folders it lies in.

    Three layouts: class folders; `train`, `valid`, `test` with class folders in each; flat.
    The first two may also hold `unlabelled`; in a flat folder all images are unlabelled. The parts
    may have their other usual names (`part_of`); no class is ever called like one.

    Raises:
        DataError: the folders follow none of these layouts, or a class folder is empty.
    """
    parts = _parts(listing)
    classes = sorted(listing.top_folders - parts.keys())
    if "train" in parts.values():
        _refuse_no_part_or_class(listing, parts, classes)
        files = [_in_part(path, parts) for path in listing.files]
    elif parts.keys() - _unlabelled(parts):
        raise advice.no_train(listing, parts, classes)
    elif classes:
        _refuse_no_class(listing, parts, classes)
        files = [_in_class(path, parts) for path in listing.files]
    else:
        files = [ImageFile(path, "unlabelled", None) for path in listing.files]
    _refuse_empty(listing, parts)
    return ImageFiles(tuple(files), tuple(advice.notes_of_the_place(listing, parts, classes)))


def _parts(listing: Listing) -> dict[str, PartName]:
    """The part of each folder that is called like one."""
    parts: dict[str, PartName] = {}
    folders: dict[PartName, list[str]] = defaultdict(list)
    for folder in sorted(listing.top_folders):
        part = part_of(folder)
        if part is not None:
            parts[folder] = part
            folders[part].append(folder)
    for part, same in folders.items():
        if len(same) > 1:
            raise advice.same_part(listing, part, same)
    return parts


def _unlabelled(parts: Mapping[str, PartName]) -> set[str]:
    return {folder for folder, part in parts.items() if part == "unlabelled"}


def _refuse_no_part_or_class(
    listing: Listing, parts: Mapping[str, PartName], others: list[str]
) -> None:
    """Where there is a folder for training: everything lies in a class folder of a part."""
    if others:
        raise advice.beside_train(listing, parts, others)
    loose = [path for path in listing.files if top_folder(path) is None]
    if loose:
        raise advice.loose_beside(listing, loose, "the parts", "train/CLASS/FILE")
    labelled = parts.keys() - _unlabelled(parts)
    flat = [path for path in listing.files if path.count("/") == 1 and top_folder(path) in labelled]
    if flat:
        raise advice.no_class_folder(listing, parts, flat)
    for folder in sorted(labelled):
        if like := like_parts(advice.folders_with_images(listing, folder)):
            raise advice.looks_like_parts(listing, like, folder)
    train = next(folder for folder, part in parts.items() if part == "train")
    if inner := advice.all_within(listing, train):
        raise advice.wrapped_in_a_part(listing, train, inner)


def _refuse_no_class(listing: Listing, parts: Mapping[str, PartName], classes: list[str]) -> None:
    """Without a folder for training: everything lies in a class folder."""
    loose = [path for path in listing.files if top_folder(path) is None]
    if loose:
        raise advice.loose_beside(listing, loose, "the class folders", "CLASS/FILE")
    if like := like_parts(classes):
        raise advice.looks_like_parts(listing, like)
    if len(classes) == 1 and (inner := advice.all_within(listing, "")):
        raise advice.wrapped(listing, inner, _unlabelled(parts))
    within = [name for name in classes if _has_parts(advice.folders_with_images(listing, name))]
    if within:
        raise advice.parts_within_classes(listing, within)


def _has_parts(folders: Iterable[str]) -> bool:
    parts = {part_of(folder) for folder in folders}
    return "train" in parts and bool(parts & {"test", "valid"})


def _in_part(path: str, parts: Mapping[str, PartName]) -> ImageFile:
    folder, name, *_ = PurePosixPath(path).parts
    if "unlabelled" in (parts[folder], part_of(name)):  # also train/unlabelled/FILE
        return ImageFile(path, "unlabelled", None)
    return ImageFile(path, parts[folder], name)


def _in_class(path: str, parts: Mapping[str, PartName]) -> ImageFile:
    folder = PurePosixPath(path).parts[0]
    if folder in parts:
        return ImageFile(path, "unlabelled", None)
    return ImageFile(path, "train", folder)


def _refuse_empty(listing: Listing, parts: Mapping[str, PartName]) -> None:
    depth = 2 if "train" in parts.values() else 1
    full = {"/".join(path.split("/")[:length]) for path in listing.files for length in (1, depth)}
    ours = [folder for folder in listing.folders if folder.count("/") < depth]
    labelled = [path for path in ours if path.split("/")[0] not in _unlabelled(parts)]
    if empty := [folder for folder in labelled if folder not in full]:
        raise advice.empty_folders(listing, empty)
