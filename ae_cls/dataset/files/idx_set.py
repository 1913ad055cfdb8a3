"""A data set of idx files; packed pictures are unpacked once."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ae_cls.dataset.contract import Dataset, ImageShape
from ae_cls.dataset.decoded import Decoded, decode_key, take_or_decode
from ae_cls.dataset.files.idx import IdxPart
from ae_cls.dataset.table import one_table, with_labels
from ae_cls.errors import DataError
from ae_cls.store.files import linked_sha256
from ae_cls.store.key import Key


def idx_dataset(
    name: str,
    files: tuple[Path, ...],
    class_names: tuple[str, ...],
    *,
    mirrored_is_same: bool,
    first_label: int = 0,
    by_column: bool = False,
) -> Dataset:
    """The data set of these files; packed pictures are unpacked once and stored.

    Args:
        name: the word of the config group.
        files: four: images and labels for training, images and labels for testing.
        class_names: in the order of the labels.
        mirrored_is_same: whether a mirror image keeps its class.
        first_label: the number of the first class.
        by_column: whether the pictures are written column by column.

    Raises:
        DataError: a file is damaged, or images and labels do not belong together.
        StorageError: unpacked images cannot be stored.
    """
    train, test = (
        IdxPart(images, labels, len(class_names), first_label, by_column)
        for images, labels in (files[:2], files[2:])
    )
    shape = _common_shape(name, [train, test])
    if train.is_packed or test.is_packed:
        key = _key(name, [train, test], shape)
        return with_labels(
            name,
            take_or_decode(key, shape, _unpacked([train, test])).images,
            {"train": train.labels(), "test": test.labels()},
            class_names=class_names,
            mirrored_is_same=mirrored_is_same,
        )
    return one_table(
        name,
        {"train": train.read(), "test": test.read()},
        class_names=class_names,
        mirrored_is_same=mirrored_is_same,
    )


def _common_shape(name: str, parts: Sequence[IdxPart]) -> ImageShape:
    shapes = {part.table_shape()[1:]: part.image_file for part in parts}
    if len(shapes) > 1:
        raise DataError(
            f"the images of {name} differ in size",
            where=", ".join(str(file) for file in shapes.values()),
            why=" and ".join(str(shape) for shape in shapes),
        )
    return next(iter(shapes))


def _key(name: str, parts: Sequence[IdxPart], shape: ImageShape) -> Key:
    """Of the label files, too: images are stored once they were found to match their labels."""
    files = [
        [linked_sha256(part.image_file), linked_sha256(part.label_file), part.by_column]
        for part in parts
    ]
    count = sum(part.table_shape()[0] for part in parts)
    return decode_key(name, count, shape, {"format": "idx 1", "files": files})


def _unpacked(parts: Sequence[IdxPart]) -> Iterator[Decoded]:
    for part in parts:
        yield Decoded(part.read().images)
