"""CIFAR-10 and CIFAR-100: 32x32 colour photographs, 50 000 for training, 10 000 for testing."""

from typing import TYPE_CHECKING, Literal, final

import numpy as np

from ae_cls.dataset.contract import Dataset, DatasetConfig
from ae_cls.dataset.files.published import Published, reading
from ae_cls.dataset.table import PartArrays, one_table

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10

_CIFAR10_FILES = (
    *(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)),
    "cifar-10-batches-py/test_batch",
    "cifar-10-batches-py/batches.meta",
)
_CIFAR100_FILES = ("cifar-100-python/train", "cifar-100-python/test", "cifar-100-python/meta")


@final
class Cifar10Config(DatasetConfig):
    """Photographs of animals and vehicles, ten classes."""

    name: Literal["cifar10"]

    def load(self) -> Dataset:
        from torchvision.datasets import CIFAR10  # a second to import

        published = Published("cifar10", _CIFAR10_FILES, lambda at: CIFAR10(at, download=True))
        return _load(published, CIFAR10, self)


@final
class Cifar100Config(DatasetConfig):
    """Photographs of things and creatures, one hundred classes."""

    name: Literal["cifar100"]

    def load(self) -> Dataset:
        from torchvision.datasets import CIFAR100  # a second to import

        published = Published("cifar100", _CIFAR100_FILES, lambda at: CIFAR100(at, download=True))
        return _load(published, CIFAR100, self)


def _load(published: Published, kind: "type[CIFAR10]", config: DatasetConfig) -> Dataset:
    files = published.find(config.root, download=config.download)
    folder = files[0].parent.parent
    with reading(published.name, files):
        # These are pickles; torchvision compares their checksums with the authors' before it reads.
        train, test = kind(folder, train=True), kind(folder, train=False)
    return one_table(
        published.name,
        {"train": _part(train), "test": _part(test)},
        class_names=tuple(train.classes),
        mirrored_is_same=True,
    )


def _part(source: "CIFAR10") -> PartArrays:
    return PartArrays(source.data.transpose(0, 3, 1, 2), np.asarray(source.targets, dtype=np.int64))
