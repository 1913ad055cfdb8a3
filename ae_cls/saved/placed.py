"""What folders say of the classes and parts of image files, as `dataset=folder` reads them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import final

import numpy as np
from jaxtyping import Int64

from ae_cls.dataset.contract import NO_LABEL
from ae_cls.dataset.files.layout import files_by_folder
from ae_cls.dataset.files.listing import Listing
from ae_cls.dataset.files.parts import part_of
from ae_cls.errors import DataError

_LOG = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class Placed:
    """What is known of image files by where they lie.

    Attributes:
        labels: class index of each, -1 where there is none.
        class_names: in the order of the class index.
        parts: train, valid, test or unlabelled; empty where the folders name no part.
    """

    labels: Int64[np.ndarray, " n"]
    class_names: tuple[str, ...]
    parts: tuple[str, ...]


def placed_in(folder: Path, names: Sequence[str], known: tuple[str, ...]) -> Placed:
    """The classes and parts of files; none, with a warning, where the folders are no data set.

    Args:
        folder: that they lie in.
        names: paths of the files below it.
        known: class names of a model: its indices are used where they have all classes there are.
    """
    above = {str(outer) for name in names for outer in PurePosixPath(name).parents} - {"."}
    listing = Listing(folder, tuple(sorted(names)), tuple(sorted(above)))
    try:
        found = {file.path: file for file in files_by_folder(listing).files}
    except DataError as error:
        _LOG.warning("%s: no labels are taken from the folders: %s", folder, error.what)
        return Placed(np.full(len(names), NO_LABEL), (), ("",) * len(names))
    classes = sorted({file.label for file in found.values() if file.label is not None})
    class_names = known if classes and set(classes) <= set(known) else tuple(classes)
    number = {None: NO_LABEL, **{name: index for index, name in enumerate(class_names)}}
    has_parts = any(part_of(top) == "train" for top in listing.top_folders)
    parts = [found[name].part for name in names]
    return Placed(
        labels=np.array([number[found[name].label] for name in names], np.int64),
        class_names=class_names,
        # Of class folders alone `dataset=folder` makes parts of its own.
        parts=tuple(part if has_parts or part == "unlabelled" else "" for part in parts),
    )
