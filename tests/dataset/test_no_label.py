"""Few labels and many images: what people write where they have none, in every kind of file."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from ae_cls.dataset.contract import NO_LABEL, Dataset
from ae_cls.errors import DataError
from tests.dataset.chosen import chosen
from tests.dataset.written import pictures, png

COUNT = 12
IMAGES = pictures(COUNT, 8, 8)
NAMES = ["ant", "bee", *["bee", "ant"] * 5]
KNOWN = [0, 1, 5]
"""Rows with a label."""

Write = Callable[[Path, Sequence[str | None]], dict[str, object]]


def in_a_table(folder: Path, labels: Sequence[str | None]) -> dict[str, object]:
    for row, image in enumerate(IMAGES):
        Image.fromarray(image).save(folder / f"{row:02}.png")
    lines = [f"{row:02}.png,{label}" for row, label in enumerate(labels) if label is not None]
    (folder / "labels.csv").write_text("\n".join(["path,label", *lines]))
    return {"name": "folder", "root": str(folder), "labels_csv": "labels.csv", "image_size": 8}


def in_npz(folder: Path, labels: Sequence[str | None]) -> dict[str, object]:
    np.savez(folder / "a.npz", images=IMAGES, labels=np.array([label or "" for label in labels]))
    return {"name": "npz", "root": str(folder / "a.npz")}


def in_parquet(folder: Path, labels: Sequence[str | None]) -> dict[str, object]:
    colour = [png(np.stack([image] * 3)) for image in IMAGES]
    parquet.write_table(pa.table({"image": colour, "label": list(labels)}), folder / "a.parquet")
    return {"name": "parquet", "root": str(folder / "a.parquet"), "image_size": 8}


def in_pixels(folder: Path, labels: Sequence[str | None]) -> dict[str, object]:
    head = ",".join(["label", *(f"p{place}" for place in range(64))])
    rows = [
        ",".join([label or "", *map(str, image.ravel())])
        for label, image in zip(labels, IMAGES, strict=True)
    ]
    (folder / "a.csv").write_text("\n".join([head, *rows]))
    return {"name": "csv_pixels", "root": str(folder / "a.csv")}


WRITERS = {"table": in_a_table, "npz": in_npz, "parquet": in_parquet, "csv_pixels": in_pixels}


def load(given: dict[str, object], **changes: object) -> Dataset:
    name = str(given["name"])
    return chosen(name, **{k: v for k, v in given.items() if k != "name"}, **changes).load()


def labels(word: str | None) -> list[str | None]:
    return [NAMES[row] if row in KNOWN else word for row in range(COUNT)]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize(
    "word", [None, "", "unlabelled", "Unlabeled", "not labelled", "?", "nan", "NULL", "<NA>"]
)
def test_images_without_a_label_are_for_pretraining(
    write: Write, word: str | None, tmp_path: Path
) -> None:
    dataset = load(write(tmp_path, labels(word)))
    assert dataset.class_names == ("ant", "bee")
    known = {int(row): dataset.class_names[int(dataset.labels[row])] for row in dataset.train}
    assert sorted(known.values()) == sorted(NAMES[row] for row in KNOWN)
    assert len(dataset.unlabelled) == COUNT - len(KNOWN)
    assert (dataset.labels[dataset.unlabelled] == NO_LABEL).all()
    assert any("9 images" in note for note in dataset.notes)
    if write is in_a_table:
        assert len(dataset.notes) == 1, "each image is told of once"
    if word:
        assert any(word in note and "dataset.no_label=[]" in note for note in dataset.notes)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("word", ["none", "None", "N/A", "unknown"])
def test_a_word_that_may_be_a_class_is_asked_about(write: Write, word: str, tmp_path: Path) -> None:
    given = write(tmp_path, labels(word))
    with pytest.raises(DataError) as caught:
        load(given)
    assert f"{word} (9)" in caught.value.why and "no_label=[]" in caught.value.fix
    assert len(load(given, no_label=[word.lower()]).unlabelled) == COUNT - len(KNOWN)
    assert load(given, no_label=[]).class_names == tuple(sorted(["ant", "bee", word]))


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_class_of_any_name_can_be_kept(write: Write, tmp_path: Path) -> None:
    kept = load(write(tmp_path, labels("unlabelled")), no_label=[])
    assert kept.class_names == ("ant", "bee", "unlabelled") and not len(kept.unlabelled)


@pytest.mark.parametrize("write", [in_npz, in_parquet, in_pixels])
def test_numbers_may_lack_for_some_images(write: Write, tmp_path: Path) -> None:
    numbers = [str(NAMES.index(name)) if name else None for name in labels(None)]
    if write is in_npz:
        values = np.array([float(number or "nan") for number in numbers])
        np.savez(tmp_path / "a.npz", images=IMAGES, labels=values)
        dataset = load({"name": "npz", "root": str(tmp_path / "a.npz")})
    else:
        dataset = load(write(tmp_path, numbers))
    assert dataset.class_names == ("0", "1") and len(dataset.unlabelled) == COUNT - len(KNOWN)


def test_minus_one_among_numbers_is_no_label_and_among_names_is_asked_about(
    tmp_path: Path,
) -> None:
    numbers = [str(NAMES.index(name)) if name else "-1" for name in labels(None)]
    assert len(load(in_pixels(tmp_path, numbers)).unlabelled) == COUNT - len(KNOWN)
    with pytest.raises(DataError) as caught:
        load(in_a_table(tmp_path, labels("-1")))
    assert 'dataset.no_label=["-1"]' in caught.value.fix


def test_a_number_may_mean_that_there_is_no_label(tmp_path: Path) -> None:
    values = np.array([0, 1, *[99] * 10])
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=values)
    dataset = load({"name": "npz", "root": str(tmp_path / "a.npz")}, no_label=[99])
    assert len(dataset.unlabelled) == 10 and any("99" in note for note in dataset.notes)


def test_names_of_classes_are_never_doubted(tmp_path: Path) -> None:
    given = in_npz(tmp_path, ["none", "scratch"] * 6)
    assert load(given, class_names=["none", "scratch"]).class_names == ("none", "scratch")


@pytest.mark.parametrize("kind", ["npz", "csv_pixels"])
def test_arrays_without_labels_are_for_pretraining_alone(kind: str, tmp_path: Path) -> None:
    if kind == "npz":
        np.savez(tmp_path / "a.npz", images=IMAGES)
        dataset = load({"name": kind, "root": str(tmp_path / "a.npz")})
    else:
        lines = [",".join(f"p{place}" for place in range(64))]
        lines += [",".join(map(str, image.ravel())) for image in IMAGES]
        (tmp_path / "a.csv").write_text("\n".join(lines))
        dataset = load({"name": kind, "root": str(tmp_path / "a.csv")})
    assert len(dataset.unlabelled) == COUNT and not len(dataset.train)
    assert any("only pretraining sees its 12 images" in note for note in dataset.notes)


def test_a_folder_for_unlabelled_images_is_no_class_of_an_expression(tmp_path: Path) -> None:
    for row, image in enumerate(IMAGES):
        place = tmp_path / ("unlabelled" if row > 5 else NAMES[row])
        place.mkdir(exist_ok=True)
        Image.fromarray(image).save(place / f"{row}.png")
    given = {"name": "folder", "root": str(tmp_path), "image_size": 8}
    dataset = load(given, label_pattern="^([^/]+)/")
    assert dataset.class_names == ("ant", "bee") and len(dataset.unlabelled) == 6


def test_a_folder_for_unlabelled_images_may_lie_in_a_part(tmp_path: Path) -> None:
    for row, image in enumerate(IMAGES):
        place = tmp_path / "train" / ("unlabelled" if row > 5 else NAMES[row])
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{row}.png")
    dataset = load({"name": "folder", "root": str(tmp_path), "image_size": 8})
    assert dataset.class_names == ("ant", "bee") and len(dataset.unlabelled) == 6


def test_images_beside_class_folders_can_be_left_there_unlabelled(tmp_path: Path) -> None:
    for row, image in enumerate(IMAGES):
        place = tmp_path / (NAMES[row] if row in KNOWN else ".")
        place.mkdir(exist_ok=True)
        Image.fromarray(image).save(place / f"{row}.png")
    given = {"name": "folder", "root": str(tmp_path), "image_size": 8}
    with pytest.raises(DataError) as caught:
        load(given)
    assert 'dataset.label_pattern="^([^/]+)/"' in caught.value.fix
    dataset = load(given, label_pattern="^([^/]+)/")
    assert len(dataset.unlabelled) == COUNT - len(KNOWN)
