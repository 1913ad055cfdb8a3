"""A data set of idx files; packed pictures are unpacked once."""

from collections.abc import Iterator, Mapping, Sequence

from ae_cls.dataset.contract import Dataset, ImageShape
from ae_cls.dataset.decoded import Decoded, decode_key, take_or_decode
from ae_cls.dataset.files.idx import IdxPart
from ae_cls.dataset.table import PART_NAMES, PartName, one_table, with_labels
from ae_cls.errors import DataError
from ae_cls.store.files import file_sha256
from ae_cls.store.key import Key


def idx_dataset(
    name: str,
    parts: Mapping[PartName, IdxPart],
    *,
    class_names: tuple[str, ...],
    mirrored_is_same: bool,
) -> Dataset:
    """The data set of these files; packed pictures are unpacked once and stored.

    Raises:
        DataError: a file is damaged, or images and labels do not belong together.
        StorageError: unpacked images cannot be stored.
    """
    ordered = [parts[key] for key in PART_NAMES if key in parts]
    shape = _common_shape(name, ordered)
    if any(part.is_packed for part in ordered):
        images = take_or_decode(_key(name, ordered, shape), shape, _unpacked(ordered)).images
        return with_labels(
            name,
            images,
            {key: part.labels() for key, part in parts.items()},
            class_names=class_names,
            mirrored_is_same=mirrored_is_same,
        )
    return one_table(
        name,
        {key: part.read() for key, part in parts.items()},
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
        [file_sha256(part.image_file), file_sha256(part.label_file), part.by_column]
        for part in parts
    ]
    count = sum(part.table_shape()[0] for part in parts)
    return decode_key(name, count, shape, {"format": "idx 1", "files": files})


def _unpacked(parts: Sequence[IdxPart]) -> Iterator[Decoded]:
    for part in parts:
        yield Decoded(part.read().images)
