"""The idx reader: packed and plain files, and none that is not what it says."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from ae_cls.dataset.idx import read_part
from ae_cls.errors import DataError
from tests.dataset.written import idx_bytes, labels_of, pictures

IMAGES, LABELS = pictures(6, 5, 4), labels_of(6, 3)


def write(folder: Path, images: bytes, labels: bytes) -> tuple[Path, Path]:
    (folder / "images").write_bytes(images)
    (folder / "labels").write_bytes(labels)
    return folder / "images", folder / "labels"


def good() -> tuple[bytes, bytes]:
    return idx_bytes(IMAGES), idx_bytes(LABELS.astype(np.uint8))


def test_plain_and_packed_files_give_the_same(tmp_path: Path) -> None:
    images, labels = good()
    part = read_part(*write(tmp_path, images, labels), class_count=3)
    (tmp_path / "images.gz").write_bytes(gzip.compress(images))
    (tmp_path / "labels.gz").write_bytes(gzip.compress(labels))
    packed = read_part(tmp_path / "images.gz", tmp_path / "labels.gz", class_count=3)
    for found in (part, packed):
        assert np.array_equal(found.images[:, 0], IMAGES)
        assert np.array_equal(found.labels, LABELS)


def test_integers_of_32_bits_are_big_endian_and_the_class_comes_first(tmp_path: Path) -> None:
    told = np.stack([LABELS, LABELS + 70_000], axis=1).astype(">i4")
    part = read_part(*write(tmp_path, good()[0], idx_bytes(told)), class_count=3)
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
        read_part(image_file, label_file, class_count=3)
    assert caught.value.where == str(image_file)


@pytest.mark.parametrize(
    "damage", [lambda c: c[: len(c) // 2], lambda c: c[:-1], lambda c: b"x" + c]
)
def test_damaged_gzip_is_named(damage, tmp_path: Path) -> None:
    _, label_file = write(tmp_path, *good())
    (tmp_path / "images.gz").write_bytes(damage(gzip.compress(good()[0])))
    with pytest.raises(DataError) as caught:
        read_part(tmp_path / "images.gz", label_file, class_count=3)
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
        read_part(*files, class_count=3)
    assert caught.value.where == str(files[1])
    assert why in caught.value.why


def test_labels_may_begin_at_one(tmp_path: Path) -> None:
    files = write(tmp_path, good()[0], idx_bytes((LABELS + 1).astype(np.uint8)))
    assert np.array_equal(read_part(*files, class_count=3, first_label=1).labels, LABELS)
