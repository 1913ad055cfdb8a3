"""What every data set must give, asked of every option in configs/dataset."""

import json
import pickle
from dataclasses import fields
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from ae_cls.dataset import DatasetChoice
from ae_cls.dataset.contract import NO_LABEL, Dataset
from ae_cls.errors import DataError
from tests.dataset import written
from tests.dataset.chosen import CHOICE, FOLDER, WORDS, chosen, plain, whole
from tests.dataset.written import WRITERS, Written

OWN = ["csv_pixels", "folder", "npz", "parquet"]
FETCHED = sorted(set(WORDS) - {"digits", *OWN})
CHECKED = {"cifar10", "cifar100", "svhn"}  # torchvision compares their checksums
MIRRORS = {"fashion_mnist", "cifar10", "cifar100", "stl10"}


@pytest.fixture(autouse=True)
def any_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision compares checksums of the published files, which ours are not."""

    def is_there(path: str, md5: str | None = None) -> bool:
        return Path(path).is_file()

    for module in ("cifar", "svhn"):
        monkeypatch.setattr(f"torchvision.datasets.{module}.check_integrity", is_there)


def load(word: str, tmp_path: Path) -> tuple[Dataset, Written | None]:
    if word == "digits":
        return chosen(word).load(), None
    found = WRITERS[word](tmp_path / "root")
    return chosen(word, root=str(found.root)).load(), found


@pytest.mark.parametrize("word", WORDS)
def test_images_are_bytes_with_one_label_each(word: str, tmp_path: Path) -> None:
    dataset, _ = load(word, tmp_path)
    assert dataset.name == word
    assert whole(dataset.images).dtype == np.uint8
    assert dataset.images.shape == (len(dataset.labels), *dataset.image_shape)
    assert dataset.image_shape[0] in (1, 3)
    assert whole(dataset.images).max() > 200  # scaled to the whole range


@pytest.mark.parametrize("word", WORDS)
def test_every_row_is_in_one_part(word: str, tmp_path: Path) -> None:
    dataset, _ = load(word, tmp_path)
    parts = [dataset.train, dataset.valid, dataset.test, dataset.unlabelled]
    rows = np.sort(np.concatenate(parts))
    assert rows.tolist() == list(range(len(dataset.labels)))
    assert len(dataset.paths) in (0, len(rows))


@pytest.mark.parametrize("word", WORDS)
def test_labelled_parts_have_labels_and_the_rest_none(word: str, tmp_path: Path) -> None:
    dataset, _ = load(word, tmp_path)
    labelled = dataset.labels_of(np.concatenate([dataset.train, dataset.valid, dataset.test]))
    assert len(dataset.class_names) == len(set(dataset.class_names))
    assert labelled.min() >= 0
    assert labelled.max() < len(dataset.class_names)
    assert (dataset.labels_of(dataset.unlabelled) == NO_LABEL).all()


@pytest.mark.parametrize("word", sorted(WRITERS))
def test_images_and_labels_are_those_of_the_files(word: str, tmp_path: Path) -> None:
    dataset, found = load(word, tmp_path)
    assert found is not None
    assert np.array_equal(whole(dataset.images), found.images)
    assert np.array_equal(dataset.labels.numpy(), found.labels)
    parts = (dataset.train, dataset.test, dataset.unlabelled)
    assert tuple(len(part) for part in parts) == found.counts
    assert dataset.train.max() < dataset.test.min()


@pytest.mark.parametrize("word", WORDS)
def test_loading_twice_gives_the_same(word: str, tmp_path: Path) -> None:
    first, found = load(word, tmp_path)
    root = None if found is None else str(found.root)
    second = chosen(word, root=root).load()
    assert np.array_equal(whole(first.images), whole(second.images))
    assert torch.equal(first.labels, second.labels)
    assert first.class_names == second.class_names


@pytest.mark.parametrize("word", WORDS)
def test_mirrors_are_told_where_they_keep_the_class(word: str, tmp_path: Path) -> None:
    dataset, _ = load(word, tmp_path)
    assert dataset.mirrored_is_same is (word in MIRRORS)


@pytest.mark.parametrize("word", FETCHED)
def test_missing_files_are_named_with_folder_and_command(word: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        chosen(word, root=str(tmp_path / "nothing here")).load()
    block = caught.value.block()
    assert caught.value.code == 3
    assert str(tmp_path / "nothing here") in block
    assert f"ae-cls run dataset={word} dataset.download=true" in block
    assert "dataset.root=" in caught.value.fix  # or it would be fetched to another folder
    assert any(name in block for name in ("train", "usps", "batch"))
    assert not (tmp_path / "nothing here").exists()


@pytest.mark.parametrize("word", FETCHED)
def test_without_root_the_data_folder_is_looked_in(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = WRITERS[word](tmp_path / "elsewhere")
    monkeypatch.setenv("AE_CLS_DATA", str(tmp_path / "elsewhere"))
    assert len(chosen(word).load().labels) == len(found.labels)


@pytest.mark.parametrize("word", sorted(set(FETCHED) - CHECKED))
@pytest.mark.parametrize("damage", [b"", b"<html>not found</html>" * 50])
def test_damaged_files_are_a_data_error(word: str, damage: bytes, tmp_path: Path) -> None:
    found = WRITERS[word](tmp_path / "root")
    victim = max(found.root.rglob("*"), key=lambda path: path.is_file() and path.stat().st_size)
    victim.write_bytes(damage)
    with pytest.raises(DataError) as caught:
        chosen(word, root=str(found.root)).load()
    assert victim.name in caught.value.where


class _Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("word", sorted(CHECKED))
def test_files_of_another_checksum_are_refused_before_anything_in_them_runs(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = WRITERS[word](tmp_path / "root")
    monkeypatch.undo()  # the real checksums
    for path in [path for path in found.root.rglob("*") if path.is_file()]:
        path.write_bytes(pickle.dumps(_Canary(tmp_path / "canary")))
    with pytest.raises(DataError, match="damaged"):
        chosen(word, root=str(found.root)).load()
    assert not (tmp_path / "canary").exists()


def test_every_option_has_a_yaml_file_and_the_other_way_round() -> None:
    union, _ = get_args(DatasetChoice)
    names = [get_args(option.model_fields["name"].annotation)[0] for option in get_args(union)]
    assert sorted(names) == WORDS


@pytest.mark.parametrize("word", WORDS)
def test_yaml_begins_with_a_comment_and_the_name(word: str) -> None:
    first, second, *_ = (FOLDER / f"{word}.yaml").read_text().splitlines()
    assert first.startswith("# ")
    assert second == f"name: {word}"


@pytest.mark.parametrize("word", WORDS)
def test_unknown_keys_are_refused(word: str) -> None:
    with pytest.raises(ValidationError, match="rot"):
        CHOICE.validate_json(json.dumps(plain(word) | {"root": None, "rot": "data"}))


@pytest.mark.parametrize("word", OWN)
def test_own_data_must_say_where_it_is(word: str) -> None:
    with pytest.raises(ValidationError, match=r"dataset\.root="):
        chosen(word)


@pytest.mark.parametrize("word", ["digits", *OWN])
def test_a_download_that_cannot_be_is_refused(word: str) -> None:
    with pytest.raises(ValidationError, match="download"):
        chosen(word, root=None if word == "digits" else "x", download=True)


def test_dataset_has_a_description_of_every_field() -> None:
    assert Dataset.__doc__ is not None
    missing = [field.name for field in fields(Dataset) if f"{field.name}:" not in Dataset.__doc__]
    assert missing == []


@pytest.mark.parametrize(
    ("variant", "classes", "first"),
    [("letters", 26, 1), ("digits", 10, 0), ("byclass", 62, 0), ("bymerge", 47, 0)],
)
def test_emnist_variants_name_their_classes(
    variant: str, classes: int, first: int, tmp_path: Path
) -> None:
    found = written.emnist(tmp_path / "root", variant, classes, first)
    dataset = chosen("emnist", root=str(found.root), variant=variant).load()
    assert len(dataset.class_names) == classes
    assert np.array_equal(dataset.labels.numpy(), found.labels)


def test_emnist_names_agree_with_torchvision() -> None:
    from torchvision.datasets import EMNIST

    from ae_cls.dataset.sources.emnist import _CLASSES

    for variant, classes in _CLASSES.items():
        names = EMNIST.classes_split_dict[variant]
        assert list(classes) == [name for name in names if name != "N/A"]


def test_svhn_extra_joins_training(tmp_path: Path) -> None:
    found = written.svhn(tmp_path / "root", extra=True)
    dataset = chosen("svhn", root=str(found.root), extra=True).load()
    assert len(dataset.train) == found.counts[0]
    assert np.array_equal(whole(dataset.images), found.images)


def test_digits_are_the_1797_of_scikit_learn_scaled_to_bytes() -> None:
    dataset = chosen("digits").load()
    images = whole(dataset.images)
    assert images.shape == (1797, 1, 8, 8)
    assert (images.min(), images.max()) == (0, 255)
    assert images[0, 0, 0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]  # of 16: 0 0 5 13 9 1 0 0
    assert dataset.labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
