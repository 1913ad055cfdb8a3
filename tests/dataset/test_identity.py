"""A data set is the one that it was, or it is said what changed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_cls.dataset.contract import Dataset
from ae_cls.dataset.identity import identity_of, identity_sha256, refuse_other_rows
from ae_cls.dataset.read import read
from ae_cls.errors import DataError
from tests.dataset.chosen import chosen
from tests.dataset.pictures import leaves


def write(folder: Path, pictures: dict[str, np.ndarray]) -> None:
    for path, picture in pictures.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / path)


@pytest.fixture
def root(places: Path, tmp_path: Path) -> Path:
    many = leaves(12, 16, seed=0)
    named = [f"{('cat', 'dog')[n % 2]}/{n:02}.png" for n in range(12)]
    write(tmp_path / "photos", dict(zip(named, many, strict=True)))
    return tmp_path / "photos"


def load(root: Path, **changes: object) -> Dataset:
    return read(chosen("folder", root=str(root), image_size=16, **changes))


def refusal(before: np.ndarray, dataset: Dataset) -> str:
    with pytest.raises(DataError) as caught:
        refuse_other_rows(before, dataset, "run", "restore it")
    return caught.value.what


def test_the_same_data_are_the_same_also_elsewhere(root: Path, tmp_path: Path) -> None:
    before = load(root)
    moved = root.rename(tmp_path / "moved")
    refuse_other_rows(identity_of(before), load(moved), "run", "restore it")


def test_one_changed_pixel_is_noticed_and_named(root: Path) -> None:
    before = identity_of(load(root))
    picture = np.asarray(Image.open(root / "dog" / "03.png")).copy()
    picture[0, 0, 0] ^= 1
    Image.fromarray(picture).save(root / "dog" / "03.png")
    assert refusal(before, load(root)).endswith("1 image changed, first dog/03.png")


def test_two_classes_that_changed_names_are_noticed(root: Path) -> None:
    before = identity_of(load(root))
    (root / "cat").rename(root / "x")
    (root / "dog").rename(root / "cat")
    (root / "x").rename(root / "dog")
    assert "12 images changed, first cat/01.png" in refusal(before, load(root))


def test_one_class_under_another_name_is_noticed(root: Path) -> None:
    before = identity_of(load(root))
    (root / "dog").rename(root / "wolf")
    assert "6 images changed, first wolf/01.png" in refusal(before, load(root))


def test_images_that_came_or_went_are_counted(root: Path) -> None:
    before = identity_of(load(root))
    write(root, {"cat/99.png": leaves(1, 16, seed=1)[0]})
    assert refusal(before, load(root)).endswith("1 image added, first cat/99.png")
    (root / "cat" / "99.png").unlink()
    (root / "cat" / "00.png").unlink()
    assert refusal(before, load(root)).endswith("1 image missing")


def test_labels_alone_are_noticed_where_images_are_no_files(root: Path) -> None:
    dataset = replace(load(root), paths=())
    labels = dataset.labels.clone()
    labels[4] = 1 - labels[4]
    other = replace(dataset, labels=labels)
    assert refusal(identity_of(dataset), other).endswith("1 image changed, first row 4")
    assert identity_sha256(identity_of(dataset)) != identity_sha256(identity_of(other))


def test_the_order_counts(root: Path) -> None:
    dataset = load(root)
    assert refusal(identity_of(dataset)[::-1], dataset).endswith("its images have another order")


def test_one_picture_under_two_labels_ends_the_run_or_is_noted(root: Path) -> None:
    picture = np.asarray(Image.open(root / "dog" / "03.png"))
    write(root, {"cat/again.png": picture})
    with pytest.raises(DataError) as caught:
        load(root)
    assert caught.value.why == "cat/again.png and dog/03.png"
    (note,) = load(root, on_bad="skip").notes
    assert note == "one picture under two labels: cat/again.png and dog/03.png"


def test_what_is_known_of_copies_is_read_from_the_store(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(root).copies
    monkeypatch.setattr("ae_cls.dataset.read.find_copies", lambda images: 1 / 0)
    again = load(root).copies
    assert before is not None and again is not None
    assert np.array_equal(before.pixels, again.pixels)
    assert np.array_equal(before.alike, again.alike)


def test_without_a_store_copies_are_found_each_time(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = chosen("digits")
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("AE_CLS_CACHE", str(tmp_path / "file" / "cache"))
    assert read(config).copies is not None
