"""Small files in the real format of each data set, with the images that they hold."""

import bz2
import gzip
import io
import json
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import scipy.io
from PIL import Image

from ae_cls.dataset.contract import NO_LABEL

TRAIN, TEST, UNLABELLED = 40, 20, 12


@dataclass(frozen=True)
class Written:
    """What was written: all images upright and channels first, in the order of the table."""

    images: np.ndarray
    labels: np.ndarray
    root: Path
    counts: tuple[int, int, int]


def pictures(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def labels_of(count: int, classes: int) -> np.ndarray:
    return (np.arange(count) % classes).astype(np.int64)


def idx_bytes(array: np.ndarray) -> bytes:
    kind = {np.dtype(np.uint8): 8, np.dtype(">i4"): 12}[array.dtype]
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


def mnist_like(folder: Path, root: Path, *, packed: bool = False) -> Written:
    images, labels = pictures(TRAIN + TEST, 1, 28, 28), labels_of(TRAIN + TEST, 10)
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in (("train", slice(0, TRAIN)), ("t10k", slice(TRAIN, None))):
        for kind, array in (("images-idx3", images[rows, 0]), ("labels-idx1", labels[rows])):
            content = idx_bytes(array.astype(np.uint8))
            name = f"{part}-{kind}-ubyte"
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
    return Written(images, labels, root, (TRAIN, TEST, 0))


def qmnist(root: Path) -> Written:
    images, labels = pictures(TRAIN + TEST, 1, 28, 28), labels_of(TRAIN + TEST, 10)
    folder = root / "QMNIST" / "raw"
    folder.mkdir(parents=True)
    told = np.full((len(labels), 8), 7, dtype=">i4")
    told[:, 0] = labels
    for part, rows in (("train", slice(0, TRAIN)), ("test", slice(TRAIN, None))):
        (folder / f"qmnist-{part}-images-idx3-ubyte").write_bytes(idx_bytes(images[rows, 0]))
        (folder / f"qmnist-{part}-labels-idx2-int").write_bytes(idx_bytes(told[rows]))
    return Written(images, labels, root, (TRAIN, TEST, 0))


def emnist(root: Path, variant: str = "balanced", classes: int = 47, first: int = 0) -> Written:
    count = 2 * classes
    images, labels = pictures(count, 1, 28, 28), labels_of(count, classes)
    folder = root / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    for part, rows in (("train", slice(0, classes)), ("test", slice(classes, None))):
        lying = np.swapaxes(images[rows, 0], 1, 2)
        told = (labels[rows] + first).astype(np.uint8)
        stem = f"emnist-{variant}-{part}"
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(idx_bytes(lying))
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(idx_bytes(told))
    return Written(images, labels, root, (classes, classes, 0))


def usps(root: Path) -> Written:
    # The values that the format can hold exactly: -1 is 0, 1 is 255.
    images = 255 * (pictures(TRAIN + TEST, 1, 16, 16) % 2)
    labels = labels_of(TRAIN + TEST, 10)
    root.mkdir(parents=True)
    lines = [
        " ".join([str(label + 1), *(f"{place + 1}:{value}" for place, value in enumerate(values))])
        for label, values in zip(labels, images.reshape(-1, 256) / 127.5 - 1, strict=True)
    ]
    for name, rows in (("usps.bz2", slice(0, TRAIN)), ("usps.t.bz2", slice(TRAIN, None))):
        (root / name).write_bytes(bz2.compress("\n".join(lines[rows]).encode()))
    return Written(images.astype(np.uint8), labels, root, (TRAIN, TEST, 0))


def cifar(root: Path, *, classes: int, batches: list[str], folder: str, label_key: str) -> Written:
    images, labels = pictures(TRAIN + TEST, 3, 32, 32), labels_of(TRAIN + TEST, classes)
    place = root / folder
    place.mkdir(parents=True)
    size = TRAIN // len(batches[:-1])
    for number, name in enumerate(batches):
        rows = (
            slice(number * size, (number + 1) * size) if name != batches[-1] else slice(TRAIN, None)
        )
        batch = {"data": images[rows].reshape(-1, 3072), label_key: labels[rows].tolist()}
        (place / name).write_bytes(pickle.dumps(batch, protocol=2))
    return Written(images, labels, root, (TRAIN, TEST, 0))


def cifar10(root: Path) -> Written:
    batches = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    folder = "cifar-10-batches-py"
    written = cifar(root, classes=10, batches=batches, folder=folder, label_key="labels")
    names = [f"class {number}" for number in range(10)]
    (root / folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}, protocol=2))
    return written


def cifar100(root: Path) -> Written:
    folder = "cifar-100-python"
    written = cifar(
        root, classes=100, batches=["train", "test"], folder=folder, label_key="fine_labels"
    )
    names = [f"class {number}" for number in range(100)]
    (root / folder / "meta").write_bytes(pickle.dumps({"fine_label_names": names}, protocol=2))
    return written


def svhn(root: Path, *, extra: bool = False) -> Written:
    count = TRAIN + TEST + UNLABELLED * extra
    images, labels = pictures(count, 3, 32, 32), labels_of(count, 10)
    root.mkdir(parents=True)
    rows = {"train": slice(0, TRAIN), "test": slice(count - TEST, None)}
    for part, some in (rows | ({"extra": slice(TRAIN, count - TEST)} if extra else {})).items():
        told = np.where(labels[some] == 0, 10, labels[some]).astype(np.uint8)[:, None]
        scipy.io.savemat(
            root / f"{part}_32x32.mat", {"X": images[some].transpose(2, 3, 1, 0), "y": told}
        )
    return Written(images, labels, root, (count - TEST, TEST, 0))


def stl10(root: Path) -> Written:
    images = pictures(TRAIN + TEST + UNLABELLED, 3, 96, 96)
    labels = labels_of(TRAIN + TEST, 10)
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    rows = {
        "train": slice(0, TRAIN),
        "test": slice(TRAIN, TRAIN + TEST),
        "unlabeled": slice(TRAIN + TEST, None),
    }
    for part, some in rows.items():
        (folder / f"{part}_X.bin").write_bytes(np.swapaxes(images[some], 2, 3).tobytes())
        if part != "unlabeled":
            (folder / f"{part}_y.bin").write_bytes((labels[some] + 1).astype(np.uint8).tobytes())
    told = np.concatenate([labels, np.full(UNLABELLED, NO_LABEL)])
    return Written(images, told, root, (TRAIN, TEST, UNLABELLED))


def npz(root: Path) -> Written:
    root.mkdir(parents=True)
    images, labels = pictures(TRAIN + TEST, 3, 28, 28), labels_of(TRAIN + TEST, 4)
    last = images.transpose(0, 2, 3, 1)
    np.savez(
        root / "own.npz",
        train_images=last[:TRAIN],
        train_labels=labels[:TRAIN, None],
        test_images=last[TRAIN:],
        test_labels=labels[TRAIN:, None],
    )
    return Written(images, labels, root / "own.npz", (TRAIN, TEST, 0))


def csv_pixels(root: Path) -> Written:
    root.mkdir(parents=True)
    images, labels = pictures(TRAIN + TEST, 3, 8, 8), labels_of(TRAIN + TEST, 4)
    names = ",".join(f"pixel{place}" for place in range(192))
    rows = images.transpose(0, 2, 3, 1).reshape(len(images), -1)
    for part, some in (("train", slice(0, TRAIN)), ("test", slice(TRAIN, None))):
        lines = [
            ",".join(map(str, (label, *row)))
            for label, row in zip(labels[some], rows[some], strict=True)
        ]
        (root / f"{part}.csv").write_text("\n".join([f"label,{names}", *lines, ""]))
    return Written(images, labels, root, (TRAIN, TEST, 0))


def parquet(root: Path) -> Written:
    root.mkdir(parents=True)
    images, labels = pictures(TRAIN + TEST, 3, 64, 64), labels_of(TRAIN + TEST, 2)
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["a", "b"]}}
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    for part, rows in (("train", slice(0, TRAIN)), ("test", slice(TRAIN, None))):
        files = [{"bytes": png(image), "path": None} for image in images[rows]]
        table = pyarrow.table({"image": files, "label": labels[rows]}).replace_schema_metadata(
            about
        )
        pyarrow.parquet.write_table(table, root / f"{part}-00000-of-00001.parquet")
    return Written(images, labels, root, (TRAIN, TEST, 0))


def png(image: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(content, "png")
    return content.getvalue()


def folder(root: Path) -> Written:
    images = pictures(TRAIN + TEST, 3, 64, 64)
    labels = np.concatenate([np.sort(labels_of(TRAIN, 2)), np.sort(labels_of(TEST, 2))])
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = root / ("train" if row < TRAIN else "test") / ("cat", "dog")[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(place / f"{row:03}.png")
    return Written(images, labels, root, (TRAIN, TEST, 0))


WRITERS: dict[str, Callable[[Path], Written]] = {
    "mnist": lambda root: mnist_like(root / "MNIST" / "raw", root),
    "fashion_mnist": lambda root: mnist_like(root, root, packed=True),
    "kmnist": lambda root: mnist_like(root / "KMNIST" / "raw", root, packed=True),
    "qmnist": qmnist,
    "emnist": emnist,
    "usps": usps,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "svhn": svhn,
    "stl10": stl10,
    "npz": npz,
    "csv_pixels": csv_pixels,
    "parquet": parquet,
    "folder": folder,
}
