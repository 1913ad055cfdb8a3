"""Parquet files with an image in each row."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from ae_cls.dataset.contract import NO_LABEL, Dataset
from ae_cls.errors import DataError, UsageError
from tests.dataset.chosen import chosen, whole
from tests.dataset.written import labels_of, pictures, png

IMAGES, LABELS = pictures(12, 3, 8, 8), labels_of(12, 3)
BYTES = [png(image) for image in IMAGES]
STRUCTS = [{"bytes": content, "path": f"{row}.png"} for row, content in enumerate(BYTES)]


def save(path: Path, features: dict | None = None, **columns: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if features is not None:
        about = {"huggingface": json.dumps({"info": {"features": features}})}
        table = table.replace_schema_metadata(about)
    parquet.write_table(table, path, row_group_size=5)
    return path


def load(root: Path, **changes: object) -> Dataset:
    return chosen("parquet", root=str(root), image_size=8, **changes).load()


def refusal(root: Path, **changes: object) -> DataError:
    with pytest.raises(DataError) as caught:
        load(root, **changes)
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("images", [STRUCTS, BYTES], ids=["structs", "bytes"])
@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (LABELS.tolist(), ("0", "1", "2")),
        ([["ant", "bee", "cat"][label] for label in LABELS], ("ant", "bee", "cat")),
    ],
)
def test_images_and_labels_are_those_of_the_rows(
    images: list, labels: list, names: tuple[str, ...], tmp_path: Path
) -> None:
    dataset = load(save(tmp_path / "own.parquet", image=images, label=labels, extra=LABELS))
    assert np.array_equal(whole(dataset.images), IMAGES)
    assert dataset.labels.tolist() == LABELS.tolist()
    assert dataset.class_names == names
    assert "columns ignored: extra" in dataset.notes[0]


def test_parts_are_read_from_the_names_of_files_and_folders(tmp_path: Path) -> None:
    rows = {
        "train-00000-of-00002": slice(0, 4), "train-00001-of-00002": slice(4, 7),
        "validation-00000-of-00001": slice(7, 9), "test/0000": slice(9, 12),
    }  # fmt: skip
    for name, some in rows.items():
        save(tmp_path / f"{name}.parquet", image=STRUCTS[some], label=LABELS[some])
    save(tmp_path / "other.parquet", image=STRUCTS, label=LABELS)
    dataset = load(tmp_path)
    assert [len(dataset.train), len(dataset.valid), len(dataset.test)] == [7, 2, 3]
    assert np.array_equal(whole(dataset.images), IMAGES)
    assert dataset.labels.tolist() == LABELS.tolist()
    assert "other.parquet" in dataset.notes[0]


def test_what_the_file_says_of_columns_and_classes_is_believed(tmp_path: Path) -> None:
    features = {
        "img": {"_type": "Image"},
        "kind": {"_type": "ClassLabel", "names": ["ant", "bee", "cat"]},
    }
    columns = {"img": STRUCTS, "thumb": BYTES, "kind": LABELS, "label": LABELS[::-1]}
    dataset = load(save(tmp_path / "own.parquet", features, **columns))
    assert dataset.class_names == ("ant", "bee", "cat")
    assert dataset.labels.tolist() == LABELS.tolist()


def test_several_columns_that_may_be_meant_are_named(tmp_path: Path) -> None:
    features = {name: {"_type": "ClassLabel", "names": list("abc")} for name in ("fine", "coarse")}
    path = save(tmp_path / "own.parquet", features, a=BYTES, b=BYTES, fine=LABELS, coarse=LABELS)
    assert "dataset.image_column=a" in refusal(path).fix
    assert "dataset.label_column=coarse" in refusal(path, image_column="b").fix
    assert len(load(path, image_column="b", label_column="fine").train) == 12
    assert "no column c" in refusal(path, image_column="c").what


def test_rows_without_a_label_are_for_pretraining(tmp_path: Path) -> None:
    save(tmp_path / "train.parquet", image=STRUCTS[:6], label=[0, None, 1, 0, -1, 1])
    save(tmp_path / "test.parquet", image=STRUCTS[6:], label=[-1] * 6)
    dataset = load(tmp_path)
    assert dataset.train.tolist() == [0, 2, 3, 5]
    assert dataset.unlabelled.tolist() == [1, 4, *range(6, 12)]
    assert (dataset.labels_of(dataset.unlabelled) == NO_LABEL).all()
    assert [note.split()[0] for note in dataset.notes] == ["2", "6"]
    assert len(load(save(tmp_path / "own" / "a.parquet", image=BYTES)).unlabelled) == 12


def test_bad_images_are_named_by_file_and_row_or_left_out(tmp_path: Path) -> None:
    save(tmp_path / "train-0.parquet", image=BYTES[:5], label=LABELS[:5])
    bad = [*BYTES[5:7], b"no image", None, *BYTES[9:]]
    save(tmp_path / "train-1.parquet", image=bad, label=LABELS[5:])
    error = refusal(tmp_path)
    assert "2 images" in error.what and "dataset.on_bad=skip" in error.fix
    assert "train-1.parquet, row 2" in error.why and "train-1.parquet, row 3" in error.why
    dataset = load(tmp_path, on_bad="skip")
    kept = [row for row in range(12) if row not in (7, 8)]
    assert np.array_equal(whole(dataset.images), IMAGES[kept])
    assert dataset.labels.tolist() == LABELS[kept].tolist()
    assert dataset.left_out == ("train-1.parquet, row 2", "train-1.parquet, row 3")


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"x" * 99])
def test_damaged_files_are_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "own.parquet").write_bytes(content)
    assert "own.parquet" in refusal(tmp_path).what


def test_a_file_without_images_says_what_it_has(tmp_path: Path) -> None:
    assert "text (string)" in refusal(save(tmp_path / "own.parquet", text=["a"])).why


def test_labels_that_begin_at_one_are_refused_with_the_reason(tmp_path: Path) -> None:
    path = save(tmp_path / "own.parquet", image=BYTES, label=LABELS + 1)
    assert "the labels begin at 1" in refusal(path).why


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "own.parquet", image=BYTES, label=LABELS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="needs pyarrow") as caught:
        load(path)
    assert "ae-cls[parquet]" in caught.value.fix


def test_a_column_of_groups_keeps_rows_together(tmp_path: Path) -> None:
    groups = ["p1", "p1", "p2", None] * 3
    path = save(tmp_path / "own.parquet", image=BYTES, label=LABELS, patient_id=groups)
    dataset = load(path)
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [0, 0, 1, -1] * 3
    assert not any("ignored" in note for note in dataset.notes)
    assert "no column ward" in refusal(path, group_column="ward").what


def test_groups_follow_their_images_where_others_are_left_out(tmp_path: Path) -> None:
    broken = [*BYTES[:4], b"no image", *BYTES[5:]]
    path = save(tmp_path / "own.parquet", image=broken, label=LABELS, ward=list(range(12)))
    groups = load(path, group_column="ward", on_bad="skip").groups
    assert groups is not None and len(np.unique(groups)) == len(groups) == 11
