"""STL-10: 96x96 colour photographs, 5000 for training, 8000 for testing, 100 000 without labels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, final

import numpy as np
from jaxtyping import Int64, UInt8

from ae_cls.dataset.contract import NO_LABEL, Dataset, DatasetConfig, ImageShape
from ae_cls.dataset.decoded import Decoded, decode_key, take_or_decode
from ae_cls.dataset.files.published import Published, reading
from ae_cls.dataset.stored import StoredImages
from ae_cls.dataset.table import with_labels
from ae_cls.store.files import linked_sha256

_SHAPE: ImageShape = (3, 96, 96)
_BATCH = 512  # pictures turned upright at a time
_CLASSES = (
    "airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck",
)  # fmt: skip
_IMAGE_FILES = ("train_X.bin", "test_X.bin", "unlabeled_X.bin")
_LABEL_FILES = ("train_y.bin", "test_y.bin")


@final
class Stl10Config(DatasetConfig):
    """Photographs of animals and vehicles, most of them without labels."""

    name: Literal["stl10"]

    def load(self) -> Dataset:
        files = tuple(f"stl10_binary/{file}" for file in _IMAGE_FILES + _LABEL_FILES)
        published = Published("stl10", files, _fetch)
        paths = published.find(self.root, download=self.download)
        train, test, unlabelled, train_labels, test_labels = paths
        with reading("stl10", paths):
            pictures = [_map(path) for path in (train, test, unlabelled)]
            labels = [_labels(train_labels, pictures[0]), _labels(test_labels, pictures[1])]
        return _dataset(_upright_table(paths[:3], pictures), pictures, labels)


def _map(path: Path) -> UInt8[np.ndarray, "n c w h"]:
    # 2.8 GB without labels: mapped, not read.
    return np.memmap(path, dtype=np.uint8, mode="r").reshape(-1, *_SHAPE)


def _labels(path: Path, images: UInt8[np.ndarray, "n c w h"]) -> Int64[np.ndarray, " n"]:
    labels = np.fromfile(path, dtype=np.uint8).astype(np.int64) - 1
    if len(labels) != len(images):
        raise ValueError(f"{path.name} has {len(labels)} labels for {len(images)} images")
    if labels.min() < 0 or labels.max() >= len(_CLASSES):
        raise ValueError(f"{path.name} has a label outside 1..{len(_CLASSES)}")
    return labels


def _upright_table(
    paths: tuple[Path, ...], pictures: list[UInt8[np.ndarray, "_ c w h"]]
) -> StoredImages:
    inputs = {"format": "stl10 1", "files": [linked_sha256(path) for path in paths]}
    key = decode_key("stl10", sum(map(len, pictures)), _SHAPE, inputs)
    return take_or_decode(key, _SHAPE, _upright(pictures)).images


def _upright(pictures: list[UInt8[np.ndarray, "_ c w h"]]) -> Iterator[Decoded]:
    for part in pictures:
        for first in range(0, len(part), _BATCH):
            # The files hold each picture column by column.
            yield Decoded(np.swapaxes(part[first : first + _BATCH], 2, 3))


def _dataset(
    images: StoredImages,
    pictures: list[UInt8[np.ndarray, "_ c w h"]],
    labels: list[Int64[np.ndarray, " _"]],
) -> Dataset:
    unlabelled = np.full(len(pictures[2]), NO_LABEL, dtype=np.int64)
    return with_labels(
        "stl10",
        images,
        {"train": labels[0], "test": labels[1], "unlabelled": unlabelled},
        class_names=_CLASSES,
        mirrored_is_same=True,
    )


def _fetch(folder: Path) -> None:
    from torchvision.datasets import STL10  # a second to import, and rarely needed

    STL10(folder, download=True)
