"""A data set of idx files, of which packed pictures are unpacked once."""

from collections.abc import Iterator, Mapping, Sequence

from ae_cls.dataset import cache
from ae_cls.dataset.contract import Dataset, ImageShape
from ae_cls.dataset.files.idx import IdxPart
from ae_cls.dataset.table import PART_NAMES, PartName, one_table, with_labels
from ae_cls.errors import DataError
from ae_cls.store.files import file_sha256, sha256


def idx_dataset(
    name: str,
    parts: Mapping[PartName, IdxPart],
    *,
    class_names: tuple[str, ...],
    mirrored_is_same: bool,
) -> Dataset:
    """The data set of these files; pictures that are packed are unpacked once and kept.

    Raises:
        DataError: a file is damaged, or images and labels do not belong together.
        StorageError: unpacked images cannot be kept.
    """
    ordered = [parts[key] for key in PART_NAMES if key in parts]
    shape = _common_shape(name, ordered)
    told = {"class_names": class_names, "mirrored_is_same": mirrored_is_same}
    if not any(part.is_packed for part in parts.values()):
        return one_table(name, {key: part.read() for key, part in parts.items()}, **told)
    images = cache.open_or_make(_key(ordered), shape, _unpacked(ordered)).images
    return with_labels(name, images, {key: part.labels() for key, part in parts.items()}, **told)


def _common_shape(name: str, parts: Sequence[IdxPart]) -> ImageShape:
    shapes = {part.image_shape(): part.image_file for part in parts}
    if len(shapes) > 1:
        raise DataError(
            f"the pictures of {name} are not of one size",
            where=", ".join(str(file) for file in shapes.values()),
            why=" and ".join(str(shape) for shape in shapes),
        )
    return next(iter(shapes))


def _key(parts: Sequence[IdxPart]) -> str:
    """Of all files, labels too: what is kept under it was found to belong together."""
    words = ["idx", "1"]
    for part in parts:
        words += [file_sha256(part.image_file), file_sha256(part.label_file), str(part.lying)]
    return sha256("/".join(words).encode())


def _unpacked(parts: Sequence[IdxPart]) -> Iterator[cache.Decoded]:
    for part in parts:
        yield from (cache.Decoded(image, "") for image in part.read().images)
