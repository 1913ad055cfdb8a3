"""The idx reader: packed and plain files, and none that is not what it says."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from ae_cls.dataset.contract import Dataset
from ae_cls.dataset.files.idx import IdxPart
from ae_cls.dataset.files.idx_set import idx_dataset
from ae_cls.errors import DataError
from tests.dataset.written import idx_bytes, labels_of, pictures

IMAGES, LABELS = pictures(6, 5, 4), labels_of(6, 3)
CLASSES = ("a", "b", "c")


def write(folder: Path, images: bytes, labels: bytes) -> tuple[Path, Path]:
    (folder / "images").write_bytes(images)
    (folder / "labels").write_bytes(labels)
    return folder / "images", folder / "labels"


def good() -> tuple[bytes, bytes]:
    return idx_bytes(IMAGES), idx_bytes(LABELS.astype(np.uint8))


def test_plain_and_packed_files_give_the_same(tmp_path: Path) -> None:
    images, labels = good()
    part = IdxPart(*write(tmp_path, images, labels), class_count=3).read()
    (tmp_path / "images.gz").write_bytes(gzip.compress(images))
    (tmp_path / "labels.gz").write_bytes(gzip.compress(labels))
    packed = IdxPart(tmp_path / "images.gz", tmp_path / "labels.gz", class_count=3).read()
    for found in (part, packed):
        assert np.array_equal(found.images[:, 0], IMAGES)
        assert np.array_equal(found.labels, LABELS)


def test_integers_of_32_bits_are_big_endian_and_the_class_comes_first(tmp_path: Path) -> None:
    rows = np.stack([LABELS, LABELS + 70_000], axis=1).astype(">i4")
    part = IdxPart(*write(tmp_path, good()[0], idx_bytes(rows)), class_count=3).read()
    assert np.array_equal(part.labels, LABELS)


@pytest.mark.parametrize(
    "images",
    [
        good()[0][:-1],
        good()[0] + b"\0",
        good()[0][:7],
        b"",
        b"<html>not found</html>",
        b"\0\0\x08\x03" + b"\xff" * 12,
        b"\0\0\x0d\x03" + good()[0][4:],
        good()[1],
        idx_bytes(IMAGES.astype(">i4")),
    ],
    ids=["short", "long", "header", "empty", "html", "huge", "floats", "labels", "integers"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_images_that_are_none_are_named(images: bytes, packed: bool, tmp_path: Path) -> None:
    image_file, label_file = write(tmp_path, images, good()[1])
    if packed:
        image_file = tmp_path / "images.gz"
        image_file.write_bytes(gzip.compress(images))
    with pytest.raises(DataError) as caught:
        IdxPart(image_file, label_file, class_count=3).read()
    assert caught.value.where == str(image_file)


@pytest.mark.parametrize(
    "damage", [lambda c: c[: len(c) // 2], lambda c: c[:-1], lambda c: b"x" + c]
)
def test_damaged_gzip_is_named(damage, tmp_path: Path) -> None:
    _, label_file = write(tmp_path, *good())
    (tmp_path / "images.gz").write_bytes(damage(gzip.compress(good()[0])))
    with pytest.raises(DataError) as caught:
        IdxPart(tmp_path / "images.gz", label_file, class_count=3).read()
    assert caught.value.where == str(tmp_path / "images.gz")


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (LABELS[:-1], "5 labels for 6"),
        (np.array([0, 1, 3, 0, 1, 2]), "label 3 at index 2"),
        (np.zeros((6, 0)), "not labels"),
    ],
)
def test_labels_that_do_not_fit_are_named(labels: np.ndarray, why: str, tmp_path: Path) -> None:
    files = write(tmp_path, good()[0], idx_bytes(labels.astype(np.uint8)))
    with pytest.raises(DataError) as caught:
        IdxPart(*files, class_count=3).read()
    assert caught.value.where == str(files[1])
    assert why in caught.value.why


def test_labels_may_begin_at_one(tmp_path: Path) -> None:
    files = write(tmp_path, good()[0], idx_bytes((LABELS + 1).astype(np.uint8)))
    assert np.array_equal(IdxPart(*files, class_count=3, first_label=1).labels(), LABELS)


def packed_set(folder: Path, images: bytes, labels: bytes) -> Dataset:
    for name, content in (("images.gz", images), ("labels.gz", labels)):
        (folder / name).write_bytes(gzip.compress(content))
    part = folder / "images.gz", folder / "labels.gz"
    return idx_dataset("x", (*part, *part), CLASSES, mirrored_is_same=False, by_column=True)


def test_packed_pictures_are_unpacked_once(tmp_path: Path, monkeypatch) -> None:
    first = packed_set(tmp_path, *good())
    monkeypatch.setattr(IdxPart, "read", None)
    second = packed_set(tmp_path, *good())
    upright = np.swapaxes(IMAGES, 1, 2)[:, None]
    for found in (first, second):
        assert found.image_shape == (1, 4, 5)
        images = found.images.index_select(0, torch.arange(12)).numpy()
        assert np.array_equal(images, np.concatenate([upright, upright]))
        assert found.labels.tolist() == [*LABELS, *LABELS]


def test_what_was_unpacked_before_does_not_serve_other_files(tmp_path: Path) -> None:
    packed_set(tmp_path, *good())
    others = packed_set(tmp_path, idx_bytes(255 - IMAGES), good()[1])
    assert np.array_equal(
        others.images.index_select(0, torch.arange(6)).numpy()[:, 0],
        np.swapaxes(255 - IMAGES, 1, 2),
    )
    with pytest.raises(DataError, match="damaged"):
        packed_set(tmp_path, good()[0], idx_bytes(LABELS[:-1].astype(np.uint8)))


def test_pictures_of_two_sizes_are_refused(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
    train = write(tmp_path / "train", *good())
    test = write(tmp_path / "test", idx_bytes(IMAGES[:, :4]), good()[1])
    with pytest.raises(DataError, match="differ in size") as caught:
        idx_dataset("x", (*train, *test), CLASSES, mirrored_is_same=False)
    assert str(tmp_path / "test" / "images") in caught.value.where
