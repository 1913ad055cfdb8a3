"""Tables of pixels as people spread them."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from ae_cls.dataset.contract import NO_LABEL, Dataset
from ae_cls.errors import DataError
from tests.dataset.chosen import chosen, whole
from tests.dataset.written import labels_of, pictures

IMAGES, LABELS = pictures(12, 16), labels_of(12, 3)
PIXELS = [f"pixel{place}" for place in range(16)]


def table(columns: list[str] | None, rows: np.ndarray) -> str:
    lines = [",".join(map(str, row)) for row in rows.tolist()]
    return "\n".join([*([",".join(columns)] if columns else []), *lines, ""])


LABELLED = table(["label", *PIXELS], np.c_[LABELS, IMAGES])


def load(root: Path, **changes: object) -> Dataset:
    return chosen("csv_pixels", root=str(root), **changes).load()


def saved(folder: Path, content: str, name: str = "train.csv") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content)
    return folder / name


def refusal(root: Path, **changes: object) -> DataError:
    with pytest.raises(DataError) as caught:
        load(root, **changes)
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize(
    "content",
    [
        LABELLED,
        LABELLED.replace("\n", "\r\n"),
        "\ufeff" + LABELLED,
        LABELLED.replace("label", '"Label"').replace("\n", "\n\n"),
        table(None, np.c_[LABELS, IMAGES]),
        table([*PIXELS, "label"], np.c_[IMAGES, LABELS]),
        table(["id", "label", *PIXELS], np.c_[np.arange(12), LABELS, IMAGES]),
        table(["class", *PIXELS], np.c_[LABELS.astype(float), IMAGES.astype(float)]).replace(
            ".0,", ",", 1
        ),
    ],
    ids=["plain", "CRLF", "mark", "quoted", "no names", "label last", "index", "decimals"],
)
def test_the_usual_forms_are_read(content: str, tmp_path: Path) -> None:
    dataset = load(saved(tmp_path, content))
    assert np.array_equal(whole(dataset.images).reshape(12, 16), IMAGES)
    assert dataset.image_shape == (1, 4, 4)
    assert len(dataset.class_names) == 3


def test_packed_tables_of_a_folder_are_its_parts(tmp_path: Path) -> None:
    for name in ("mnist_train.csv.gz", "mnist_test.csv.gz"):
        (tmp_path / name).write_bytes(gzip.compress(LABELLED.encode()))
    saved(tmp_path, "ImageId,Label\n1,0\n", "sample_submission.csv")
    dataset = load(tmp_path)
    assert [len(dataset.train), len(dataset.test)] == [12, 12]
    assert "sample_submission.csv" in dataset.notes[0]


@pytest.mark.parametrize("columns", [PIXELS, None])
def test_a_test_part_without_labels_is_for_pretraining_and_noted(
    columns: list[str] | None, tmp_path: Path
) -> None:
    saved(tmp_path, LABELLED)
    saved(tmp_path, table(columns, IMAGES[:5]), "test.csv")
    dataset = load(tmp_path)
    assert [len(dataset.train), len(dataset.test), len(dataset.unlabelled)] == [12, 0, 5]
    assert (dataset.labels_of(dataset.unlabelled) == NO_LABEL).all()
    assert "5 images" in dataset.notes[0]
    assert np.array_equal(whole(dataset.images)[dataset.unlabelled].reshape(5, 16), IMAGES[:5])


def test_colours_stand_side_by_side(tmp_path: Path) -> None:
    images = pictures(12, 2, 2, 3)
    path = saved(tmp_path, table(None, np.c_[LABELS, images.reshape(12, -1)]))
    assert np.array_equal(whole(load(path).images), images.transpose(0, 3, 1, 2))


def test_sides_can_be_given_and_change_what_is_kept(tmp_path: Path) -> None:
    path = saved(tmp_path, LABELLED)
    assert load(path).image_shape == (1, 4, 4)
    assert load(path, image_height=2).image_shape == (1, 2, 8)
    assert load(path, image_width=2).image_shape == (1, 8, 2)
    assert "16" in refusal(path, image_height=3).fix
    assert "16 pixels" in refusal(path, channels=3).what


def test_names_are_labels_too(tmp_path: Path) -> None:
    names = np.array(["bag", "boot", "coat"])[LABELS]
    dataset = load(saved(tmp_path, table(["label", *PIXELS], np.c_[names, IMAGES.astype(str)])))
    assert dataset.class_names == ("bag", "boot", "coat")
    assert dataset.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (table(["label", *PIXELS], np.c_[LABELS + 1, IMAGES]), "the labels begin at 1"),
        (table(["label", *PIXELS], np.c_[LABELS, IMAGES.astype(int) * 2]), "line 2, pixel"),
        (table(["label", *PIXELS], np.c_[LABELS, IMAGES - 0.5]), "line 2, pixel 0"),
        (table(["label", *PIXELS], np.c_[LABELS, IMAGES % 2]), "no pixel is above 1"),
        (LABELLED + "1,2,3\n", "column"),
        (LABELLED + "1," + ",".join(["?"] * 16), "?"),
        ("label," + ",".join(PIXELS) + "\n", "no rows"),
        ("path,label\na.png,0\n", "dataset=folder"),
        ("", "not a table of pixels"),
    ],
)
def test_what_is_no_table_of_pixels_is_refused(content: str, why: str, tmp_path: Path) -> None:
    assert why in refusal(saved(tmp_path, content)).block()


def test_tables_of_other_pixels_are_refused_together(tmp_path: Path) -> None:
    saved(tmp_path, LABELLED)
    saved(tmp_path, table(["label", *PIXELS[:9]], np.c_[LABELS, IMAGES[:, :9]]), "test.csv")
    assert "16 and 9" in refusal(tmp_path).why


@pytest.mark.parametrize("names", [[], ["a.csv", "b.csv"]])
def test_a_folder_without_a_training_part_is_refused(names: list[str], tmp_path: Path) -> None:
    for name in names:
        saved(tmp_path, LABELLED, name)
    error = refusal(tmp_path)
    assert all(name in error.why for name in names)
    assert "dataset.root=" in error.fix
    assert str(tmp_path / "gone") in refusal(tmp_path / "gone").where


def test_rows_with_an_empty_label_are_for_pretraining_and_counted(tmp_path: Path) -> None:
    names = np.array(["ant", "bee", "cow"])[LABELS].astype(object)
    names[[0, 5]] = ""
    rows = np.c_[names, IMAGES.reshape(len(IMAGES), -1)]
    dataset = load(saved(tmp_path / "d", table(["label", *PIXELS], rows)))
    assert dataset.unlabelled.tolist() == [0, 5]
    assert dataset.train.tolist() == [row for row in range(12) if row not in (0, 5)]
    assert any(note.startswith("2 images of train have no label") for note in dataset.notes)


def faces(usage: list[str], quote: str = "") -> str:
    """The form of FER2013: all pixels in one column, and parts by another."""
    rows = [
        f"{label},{quote}{' '.join(map(str, image))}{quote},{word}"
        for label, image, word in zip(LABELS, IMAGES.tolist(), usage, strict=True)
    ]
    return "\n".join(["emotion,pixels,Usage", *rows, ""])


@pytest.mark.parametrize("quote", ["", '"'])
def test_pixels_may_stand_in_one_column_and_parts_in_another(quote: str, tmp_path: Path) -> None:
    usage = ["PublicTest", *["Training"] * 8, "PrivateTest", "Training", "PublicTest"]
    dataset = load(saved(tmp_path, faces(usage, quote)))
    rows = [*range(1, 9), 10, 0, 11, 9]
    assert np.array_equal(whole(dataset.images), IMAGES[rows].reshape(-1, 1, 4, 4))
    assert dataset.labels.tolist() == LABELS[rows].tolist()
    assert [len(part) for part in (dataset.train, dataset.valid, dataset.test)] == [9, 2, 1]
    assert any("label is the column emotion" in note for note in dataset.notes)


def test_a_row_of_no_part_is_named(tmp_path: Path) -> None:
    usage = [*["Training"] * 11, "Extra"]
    assert "row 12 has 'Extra'" in refusal(saved(tmp_path, faces(usage))).why


def test_pixels_of_one_column_that_are_too_few_are_named_by_line(tmp_path: Path) -> None:
    content = faces(["Training"] * 12).replace(f" {IMAGES[5, -1]},Training", ",Training", 1)
    assert "after line" in refusal(saved(tmp_path, content)).why


def test_a_column_of_groups_is_no_pixel(tmp_path: Path) -> None:
    groups = np.array(["p1", "p1", "p2", ""] * 3)
    rows = np.c_[LABELS.astype(str), groups, IMAGES.astype(str)]
    path = saved(tmp_path, table(["label", "patient_id", *PIXELS], rows))
    dataset = load(path)
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [0, 0, 1, -1] * 3
    assert np.array_equal(whole(dataset.images), IMAGES.reshape(-1, 1, 4, 4))
    named = saved(tmp_path, path.read_text().replace("patient_id", "hospital"), "other.csv")
    again = load(named, group_column="hospital").groups
    assert again is not None and again.tolist() == dataset.groups.tolist()
    assert "no column ward" in refusal(named, group_column="ward").what


def test_a_label_by_another_name_is_the_column_without_a_number(tmp_path: Path) -> None:
    dataset = load(saved(tmp_path, LABELLED.replace("label", "digit")))
    assert dataset.labels.tolist() == LABELS.tolist()
    assert any("label is the column digit" in note for note in dataset.notes)
