"""MNIST and the sets made in its image: 28x28 grey pictures in idx files, ten classes."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, final

from ae_cls.dataset.contract import Dataset, DatasetConfig
from ae_cls.dataset.files.idx_set import idx_dataset
from ae_cls.dataset.files.published import Published

_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_QMNIST_FILES = (
    "qmnist-train-images-idx3-ubyte",
    "qmnist-train-labels-idx2-int",
    "qmnist-test-images-idx3-ubyte",
    "qmnist-test-labels-idx2-int",
)
_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_KANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
# Where Debian's package dataset-fashion-mnist puts them.
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@final
class MnistConfig(DatasetConfig):
    """Handwritten digits: 60 000 for training, 10 000 for testing."""

    name: Literal["mnist"]

    def load(self) -> Dataset:
        return _load(self, _published(self.name, "MNIST"), _DIGITS, mirrored_is_same=False)


@final
class FashionMnistConfig(DatasetConfig):
    """Pictures of clothes: 60 000 for training, 10 000 for testing."""

    name: Literal["fashion_mnist"]

    def load(self) -> Dataset:
        published = replace(_published(self.name, "FashionMNIST"), elsewhere=(_DEBIAN,))
        return _load(self, published, _CLOTHES, mirrored_is_same=True)


@final
class KmnistConfig(DatasetConfig):
    """Cursive Japanese characters (kuzushiji): 60 000 for training, 10 000 for testing."""

    name: Literal["kmnist"]

    def load(self) -> Dataset:
        return _load(self, _published(self.name, "KMNIST"), _KANA, mirrored_is_same=False)


@final
class QmnistConfig(DatasetConfig):
    """MNIST rebuilt from its source: 60 000 for training, 60 000 for testing."""

    name: Literal["qmnist"]

    def load(self) -> Dataset:
        published = replace(_published(self.name, "QMNIST"), files=_QMNIST_FILES)
        return _load(self, published, _DIGITS, mirrored_is_same=False)


def _published(name: str, kind: str) -> Published:
    """What torchvision's class of that name fetches, where that class puts it."""
    fetch = partial(_fetch, kind)
    return Published(name, _FILES, fetch, below=(f"{kind}/raw", "."), are_idx=True)


def _fetch(kind: str, folder: Path) -> None:
    # Here, as it takes a second to import, and most runs find their files.
    from torchvision.datasets import KMNIST, MNIST, QMNIST, FashionMNIST

    (source,) = (one for one in (KMNIST, MNIST, QMNIST, FashionMNIST) if one.__name__ == kind)
    for train in (True, False):
        source(folder, train=train, download=True)


def _load(
    config: DatasetConfig,
    published: Published,
    class_names: tuple[str, ...],
    *,
    mirrored_is_same: bool,
) -> Dataset:
    files = published.find(config.root, download=config.download)
    return idx_dataset(published.name, files, class_names, mirrored_is_same=mirrored_is_same)
