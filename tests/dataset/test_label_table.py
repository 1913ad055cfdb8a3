"""Tables of labels as spreadsheets, pandas and people write them."""

import csv
import gzip
import io
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ae_cls.dataset.files.columns import ColumnNames
from ae_cls.dataset.files.image_file import ImageFiles
from ae_cls.dataset.files.label_table import LabelTable, files_by_table
from ae_cls.dataset.files.listing import Listing
from ae_cls.errors import DataError
from tests.dataset.listed import listed, told

FILES = [f"photos/shot {number}.png" for number in range(4)]
ROWS = list(zip(FILES, ["disc", "bar", "disc", "bar"], strict=True))
EXPECTED = {path: ("train", label) for path, label in ROWS}


def read(
    folder: Path,
    content: bytes | str,
    *files: str,
    place: str | None = None,
    suffix: str | None = None,
    **columns: str | tuple[str, ...],
) -> ImageFiles:
    """What a table says of these files, else of FILES."""
    table = folder / "labels.csv"
    table.write_bytes(content.encode() if isinstance(content, str) else content)
    listing = listed(*(files or FILES), root=folder)
    return files_by_table(listing, LabelTable(table, ColumnNames(**columns), place, suffix))


def refusal(folder: Path, content: bytes | str, *files: str, **keys: str) -> DataError:
    with pytest.raises(DataError) as caught:
        read(folder, content, *files, **keys)
    assert caught.value.fix
    return caught.value


def text(rows: list[tuple[str, ...]], *, separator: str = ",", end: str = "\n") -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=separator, lineterminator=end).writerows(rows)
    return file.getvalue()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    separator=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
    path_name=st.sampled_from(["path", "Path", "FILE", "file_name", "Image ID", "image", "id"]),
    label_name=st.sampled_from(["label", "Label", "CLASS", "category", "Target", "y"]),
    others=st.lists(st.sampled_from(["", "Unnamed: 0", "age", "width"]), max_size=2, unique=True),
    order=st.randoms(use_true_random=False),
    packed=st.booleans(),
    windows=st.booleans(),
)
def test_any_usual_way_of_writing_a_table_is_read_as_the_same(
    tmp_path, separator, end, encoding, path_name, label_name, others, order, packed, windows
) -> None:
    columns = [path_name, label_name, *others]
    order.shuffle(columns)
    rows = [tuple(columns)]
    for number, (path, label) in enumerate(ROWS):
        values = {path_name: path.replace("/", "\\") if windows else path, label_name: label}
        rows.append(tuple(values.get(column, str(number)) for column in columns))
    content = text(rows, separator=separator, end=end).encode(encoding)
    found = read(tmp_path, gzip.compress(content) if packed else content)
    assert told(found) == EXPECTED
    assert any("ignored" in note for note in found.notes) == bool(others)


def test_a_table_in_the_old_encoding_of_windows_is_read_and_noted(tmp_path: Path) -> None:
    found = read(tmp_path, "path,label\nx.png,größer\n".encode("cp1252"), "x.png")
    assert told(found) == {"x.png": ("train", "größer")}
    assert "Windows-1252" in found.notes[0]


def test_a_packed_table_of_hardly_anything_is_not_unpacked_whole(tmp_path: Path) -> None:
    error = refusal(tmp_path, gzip.compress(b"path,label\n" + b"\n" * 2**25, 1))
    assert "unpacked it has more than" in error.why


def test_a_packed_table_of_many_pieces_is_read_in_time_that_grows_with_them(tmp_path: Path) -> None:
    begin = time.process_time()
    pieces = gzip.compress(b"") * 400_000
    assert told(read(tmp_path, gzip.compress(text([("path", "label"), *ROWS]).encode()) + pieces))
    assert time.process_time() - begin < 20  # seconds; with a copy of the rest for each it takes 80


def test_empty_rows_and_the_line_that_names_the_separator_are_passed_over(tmp_path: Path) -> None:
    content = (
        "sep=;\r\n" + text([("path", "label"), *ROWS], separator=";", end="\r\n") + ";\r\n\r\n"
    )
    assert told(read(tmp_path, content)) == EXPECTED


@pytest.mark.parametrize("one", ["1", "1.0", "True"])
def test_one_column_a_class_is_read(one: str, tmp_path: Path) -> None:
    zero = {"1": "0", "1.0": "0.0", "True": "False"}[one]
    lines = [f"{p},{one if w == 'bar' else zero},{one if w == 'disc' else zero}" for p, w in ROWS]
    found = read(tmp_path, "\n".join(["image,bar,disc", *lines]))
    assert told(found) == EXPECTED
    assert any("each class has a column: bar, disc" in note for note in found.notes)


@pytest.mark.parametrize(
    ("cells", "why"), [("1,1", "bar and disc are 1"), ("0,0", "no class is 1")]
)
def test_rows_of_no_or_several_classes_are_named(cells: str, why: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, f"image,bar,disc\n{FILES[0]},1,0\n{FILES[1]},{cells}\n")
    assert f"line 3: {why}" in error.why


def test_columns_of_classes_can_be_chosen(tmp_path: Path) -> None:
    content = f"image,bar,disc,male\n{FILES[0]},0,1,1\n{FILES[1]},1,0,1\n"
    assert "line 2: disc and male are 1" in refusal(tmp_path, content).why
    found = told(read(tmp_path, content, label=("bar", "disc")))
    assert [found[FILES[0]], found[FILES[1]]] == [("train", "disc"), ("train", "bar")]
    wrong = content.replace("0,1,1", "7,1,1")
    assert "bar holds '7'" in refusal(tmp_path, wrong, label=("bar", "disc")).why


def test_our_own_word_for_a_column_comes_before_others(tmp_path: Path) -> None:
    content = f"path,file,label,class\n{FILES[0]},x,disc,7\n"
    assert told(read(tmp_path, content))[FILES[0]] == ("train", "disc")


@pytest.mark.parametrize(
    ("columns", "key", "named"),
    [
        ("file,image,label", "dataset.path_column=file", "file, image"),
        ("path,class,category", "dataset.label_column=class", "class, category"),
        ("path,label,patient,subject_id", "dataset.group_column=patient", "patient, subject_id"),
        ("path,label,label", "another name", "label, label"),
    ],
)
def test_several_columns_that_may_be_meant_are_named(
    columns: str, key: str, named: str, tmp_path: Path
) -> None:
    error = refusal(tmp_path, f"{columns}\n{FILES[0]}{',x' * columns.count(',')}\n")
    assert named in error.why and key in error.fix


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ("pic,label\na,b\n", "dataset.path_column="),
        ("path,kind\na,b\n", "dataset.label_column="),
        ("", "dataset.path_column="),
        ("photos/shot 0.png,disc\nphotos/shot 1.png,bar\n", "path,label above it"),
    ],
)
def test_a_missing_column_is_told_with_those_that_are_there(
    content: str, key: str, tmp_path: Path
) -> None:
    error = refusal(tmp_path, content)
    assert key in error.fix
    assert content.split("\n")[0].replace(",", ", ") in error.why


def test_columns_can_be_named(tmp_path: Path) -> None:
    content = f"where,what,when,who\n{FILES[0]},disc,Testing,anna\n{FILES[1]},bar,train,ben\n"
    found = read(tmp_path, content, path="where", label="What", split="when", group="who")
    assert told(found)[FILES[0]] == ("test", "disc")
    assert [file.group for file in found.files[:2]] == ["anna", "ben"]


def test_a_name_that_no_column_has_is_refused_with_the_nearest(tmp_path: Path) -> None:
    error = refusal(tmp_path, "path,label\na,b\n", label="lable")
    assert "did you mean label?" in error.fix


def test_a_column_part_of_the_body_is_no_part_of_the_data(tmp_path: Path) -> None:
    found = read(tmp_path, f"path,label,part\n{FILES[0]},disc,wrist\n")
    assert told(found)[FILES[0]] == ("train", "disc")
    assert "columns ignored: part" in found.notes[0]
    error = refusal(tmp_path, f"path,label,part\n{FILES[0]},disc,wrist\n{FILES[1]},bar,test\n")
    assert "line 2: split wrist is not train, valid or test" in error.why


@pytest.mark.parametrize("suffix", [None, "png", ".png"])
@pytest.mark.parametrize("place", [None, "train_images", "train_images/"])
def test_names_without_folder_and_suffix_are_found(
    place: str | None, suffix: str | None, tmp_path: Path
) -> None:
    files = ["train_images/0a.png", "train_images/1.b.png", "test_images/0a2.png"]
    found = read(tmp_path, "image_id,label\n0a,x\n1.b,y\n", *files, place=place, suffix=suffix)
    assert told(found) == {
        files[0]: ("train", "x"), files[1]: ("train", "y"), files[2]: ("unlabelled", None),
    }  # fmt: skip
    assert any("relative to train_images" in note for note in found.notes) == (place is None)
    assert any("1 images have no row" in note and "test_images" in note for note in found.notes)


def test_two_folders_that_would_do_are_both_named(tmp_path: Path) -> None:
    error = refusal(tmp_path, "id,label\n7,x\n", "small/7.png", "large/7.png")
    assert "dataset.image_folder=large\nor dataset.image_folder=small" in error.fix
    assert "it is there as large/7.png and small/7.png" in error.why


@pytest.mark.parametrize(
    "written", ["C:\\old\\small\\b\\7.png", "/old/b/7.png", "SMALL/B/7.PNG", "small/b/7.jpg"]
)
def test_of_files_of_one_name_the_one_in_the_folders_of_the_table_is_named(
    written: str, tmp_path: Path
) -> None:
    error = refusal(tmp_path, f"path,label\n{written},x\n", "a/7.png", "small/b/7.png", "b/c/7.png")
    assert "it is there as small/b/7.png" in error.why and "a/7.png" not in error.why


def test_two_files_of_one_name_are_both_named(tmp_path: Path) -> None:
    content, files = "id,label\n7,x\n", ["7.png", "7.jpg"]
    assert "dataset.image_suffix=.jpg" in refusal(tmp_path, content, *files).why
    assert told(read(tmp_path, content, *files, suffix="jpg"))["7.jpg"] == ("train", "x")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("photos/SHOT 9.PNG", "it is there as photos/shot 9.png"),
        ("photos/shot 9.jpg", "it is there as photos/shot 9.png"),
        ("shot 9.png", "it is there as photos/shot 9.png"),
        (
            "C:\\own\\photos\\shot 9.png",
            "leads out of the folder; it is there as photos/shot 9.png",
        ),
        ("/else/shot 9.png", "leads out of the folder; it is there as photos/shot 9.png"),
        ("..\\shot 9.png", "leads out of the folder"),
        ("raw/a.heic2", "raw/a.heic2 is there, but was left out"),
        ("nowhere.png", "does not exist"),
    ],
)
def test_near_misses_are_told(written: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(text([("path", "label"), *ROWS, (written, "disc")]))
    listing = listed(*FILES, "photos/shot 9.png", root=tmp_path)
    listing = Listing(listing.folder, listing.files, listing.folders, ("raw/a.heic2",))
    with pytest.raises(DataError) as caught:
        files_by_table(listing, LabelTable(tmp_path / "labels.csv", ColumnNames(), None, None))
    assert f"line 6: {written}" in caught.value.why and why in caught.value.why
    assert f"relative to {tmp_path}, as in photos/shot 0.png" in caught.value.fix


def test_whole_paths_into_the_folder_and_other_unicode_forms_are_found(tmp_path: Path) -> None:
    decomposed = "e\u0301.png"
    found = read(tmp_path, f"path,label\n{tmp_path}/a.png,x\n\u00e9.png,y\n", "a.png", decomposed)
    assert told(found) == {"a.png": ("train", "x"), decomposed: ("train", "y")}


def test_files_without_a_row_or_a_label_are_unlabelled_and_counted(tmp_path: Path) -> None:
    found = read(tmp_path, f"path,label\n{FILES[0]},disc\n{FILES[1]},\n")
    assert [part for part, _ in told(found).values()] == ["train", *["unlabelled"] * 3]
    assert any("2 images have no row" in note for note in found.notes)
    assert any("1 images have an empty label" in note for note in found.notes)


def test_held_out_images_need_a_label(tmp_path: Path) -> None:
    error = refusal(tmp_path, f"path,label,split\n{FILES[0]},,test\n")
    assert "line 2" in error.why and "empty label" in error.why


def test_groups_of_rows_are_kept_and_counted(tmp_path: Path) -> None:
    found = read(tmp_path, f"path,label,Patient ID\n{FILES[0]},disc,p1\n{FILES[1]},bar,\n")
    assert [file.group for file in found.files] == ["p1", None, None, None]
    assert any("of 1 groups; 1 images" in note for note in found.notes)


def test_a_table_without_rows_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    assert "no rows" in refusal(tmp_path, "path,label\n").what
    listing = Listing(tmp_path, ("a.png",), (), ("truth.csv",))
    with pytest.raises(DataError) as caught:
        files_by_table(listing, LabelTable(tmp_path / "gone.csv", ColumnNames(), None, None))
    assert caught.value.fix == "dataset.labels_csv=truth.csv"


def test_a_table_in_the_folder_one_is_in_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.csv").write_text("path,label\n")
    with pytest.raises(DataError) as caught:
        given = LabelTable(tmp_path / "root" / "labels.csv", ColumnNames(), None, None)
        files_by_table(listed("a.png", root=tmp_path / "root"), given)
    assert caught.value.fix == f"dataset.labels_csv={tmp_path / 'labels.csv'}"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"PK\x03\x04rest", "workbook"),
        (b"\xd0\xcf\x11\xe0rest", "workbook"),
        (b'path,label\n"a,b\n', "unexpected end"),
        (b"path,label\n\x81\n", "decode"),
        (b"\xff\xfea", "truncated"),
        (b"\x1f\x8b\x08rest", "gzip|end|CRC|unknown|invalid"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, content)
    assert any(word in error.why for word in why.split("|")), error.why
