"""MNIST and the sets made in its image: 28x28 grey pictures in idx files, ten classes."""

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
        published = Published("mnist", _FILES, _fetch_mnist, below=("MNIST/raw", "."), are_idx=True)
        return _load(self, published, _DIGITS, mirrored_is_same=False)


@final
class FashionMnistConfig(DatasetConfig):
    """Pictures of clothes: 60 000 for training, 10 000 for testing."""

    name: Literal["fashion_mnist"]

    def load(self) -> Dataset:
        published = Published(
            "fashion_mnist",
            _FILES,
            _fetch_fashion_mnist,
            below=("FashionMNIST/raw", "."),
            elsewhere=(_DEBIAN,),
            are_idx=True,
        )
        return _load(self, published, _CLOTHES, mirrored_is_same=True)


@final
class KmnistConfig(DatasetConfig):
    """Cursive Japanese characters (kuzushiji): 60 000 for training, 10 000 for testing."""

    name: Literal["kmnist"]

    def load(self) -> Dataset:
        published = Published(
            "kmnist", _FILES, _fetch_kmnist, below=("KMNIST/raw", "."), are_idx=True
        )
        return _load(self, published, _KANA, mirrored_is_same=False)


@final
class QmnistConfig(DatasetConfig):
    """MNIST rebuilt from its source: 60 000 for training, 60 000 for testing."""

    name: Literal["qmnist"]

    def load(self) -> Dataset:
        published = Published(
            "qmnist", _QMNIST_FILES, _fetch_qmnist, below=("QMNIST/raw", "."), are_idx=True
        )
        return _load(self, published, _DIGITS, mirrored_is_same=False)


def _load(
    config: DatasetConfig,
    published: Published,
    class_names: tuple[str, ...],
    *,
    mirrored_is_same: bool,
) -> Dataset:
    files = published.find(config.root, download=config.download)
    return idx_dataset(published.name, files, class_names, mirrored_is_same=mirrored_is_same)


# torchvision is imported where it is needed: it takes a second, and most runs find their files.
def _fetch_mnist(folder: Path) -> None:
    from torchvision.datasets import MNIST

    MNIST(folder, download=True)


def _fetch_fashion_mnist(folder: Path) -> None:
    from torchvision.datasets import FashionMNIST

    FashionMNIST(folder, download=True)


def _fetch_kmnist(folder: Path) -> None:
    from torchvision.datasets import KMNIST

    KMNIST(folder, download=True)


def _fetch_qmnist(folder: Path) -> None:
    from torchvision.datasets import QMNIST

    QMNIST(folder, what="train", download=True)
    QMNIST(folder, what="test", download=True)
