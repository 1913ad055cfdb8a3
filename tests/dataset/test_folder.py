"""Folders of image files as people have them."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from ae_cls.dataset.contract import NO_LABEL, Dataset
from ae_cls.dataset.labels import ALL_SHOWN
from ae_cls.dataset.split import SplitConfig, make_split
from ae_cls.errors import DataError
from tests.dataset.chosen import chosen, whole


def picture(path: Path, value: int = 100) -> Path:
    """A small picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (value, value, value)).save(path)
    return path


def load(root: Path, **changes: object) -> Dataset:
    return chosen("folder", root=str(root), image_size=8, **changes).load()


def cats_and_dogs(root: Path) -> Path:
    for number in range(3):
        picture(root / "dog" / f"{number}.png", 10 + number)
        picture(root / "cat" / f"{number}.png", 20 + number)
    return root


def parts(dataset: Dataset) -> dict[str, list[str]]:
    return {
        part: [dataset.paths[row] for row in getattr(dataset, part)]
        for part in ("train", "valid", "test", "unlabelled")
        if len(getattr(dataset, part))
    }


def refusal(root: Path, **changes: object) -> str:
    with pytest.raises(DataError) as caught:
        load(root, **changes)
    assert caught.value.code == 3
    return caught.value.block()


def test_class_folders_are_classes_by_code_point(tmp_path: Path) -> None:
    cats_and_dogs(tmp_path / "root")
    picture(tmp_path / "root" / "Zebra" / "deep" / "er" / "a.JPG", 30)
    dataset = load(tmp_path / "root")
    assert dataset.class_names == ("Zebra", "cat", "dog")
    assert dataset.paths[0] == "Zebra/deep/er/a.JPG"
    assert dataset.labels.tolist() == [0, 1, 1, 1, 2, 2, 2]
    assert whole(dataset.images)[:, 0, 0, 0].tolist() == [30, 20, 21, 22, 10, 11, 12]
    assert dataset.left_out == ()


@pytest.mark.parametrize("valid", ["valid", "val", "validation"])
def test_parts_are_folders_of_class_folders(valid: str, tmp_path: Path) -> None:
    for part in ("train", valid, "test"):
        cats_and_dogs(tmp_path / part)
    picture(tmp_path / "unlabelled" / "any" / "a.png")
    dataset = load(tmp_path)
    sizes = {part: len(paths) for part, paths in parts(dataset).items()}
    assert sizes == {"train": 6, "valid": 6, "test": 6, "unlabelled": 1}
    for part, paths in parts(dataset).items():
        assert all(path.startswith(valid if part == "valid" else part) for path in paths)
    assert dataset.labels_of(dataset.unlabelled).tolist() == [NO_LABEL]


def test_classes_are_matched_by_name_not_by_number(tmp_path: Path) -> None:
    for name in ("ant", "bee", "cat"):
        picture(tmp_path / "train" / name / "a.png")
    picture(tmp_path / "test" / "cat" / "a.png")  # alone, it would be class 0
    dataset = load(tmp_path)
    assert dataset.labels_of(dataset.test).tolist() == [2]


def test_a_class_that_training_lacks_is_named(tmp_path: Path) -> None:
    for path in ("train/ant/a.png", "train/bee/a.png", "test/ant/a.png", "test/wasp/a.png"):
        picture(tmp_path / path)
    assert "wasp" in refusal(tmp_path)


def test_a_flat_folder_is_for_pretraining_alone(tmp_path: Path) -> None:
    for number in range(20):
        picture(tmp_path / f"{number}.png")
    dataset = load(tmp_path)
    assert len(dataset.unlabelled) == 20
    assert dataset.class_names == ()
    split = make_split(
        dataset,
        SplitConfig(valid_fraction=0.1, test_fraction=0.2, seed=None, folds=None, fold=0),
        ALL_SHOWN,
        0,
    )
    assert [len(split.pretrain), len(split.valid), len(split.train)] == [18, 2, 0]


@pytest.mark.parametrize(
    ("paths", "named"),
    [
        (["train/cat/a.png", "bus/a.png"], "beside train there is bus"),
        (["test/cat/a.png", "valid/cat/a.png"], "there is test and valid but no train"),
        (["train/a.png"], "train/a.png"),
        (["train/cat/a.png", "b.png"], "b.png"),
        (["cat/a.png", "b.png"], "b.png"),
    ],
)
def test_folders_that_say_neither_part_nor_class_are_refused(
    paths: list[str], named: str, tmp_path: Path
) -> None:
    for path in paths:
        picture(tmp_path / path)
    assert named in refusal(tmp_path)


def test_hidden_entries_are_ignored(tmp_path: Path) -> None:
    cats_and_dogs(tmp_path)
    for path in (".ipynb_checkpoints/a.png", "__MACOSX/cat/a.png", "cat/._0.png", ".git/x/a.png"):
        picture(tmp_path / path)
    for path in ("Thumbs.db", ".DS_Store", "cat/desktop.ini", "dog/Thumbs.db"):
        (tmp_path / path).write_bytes(b"x")
    dataset = load(tmp_path)
    assert dataset.class_names == ("cat", "dog")
    assert len(dataset.labels) == 6


def test_files_that_are_no_images_by_suffix_are_told(tmp_path: Path) -> None:
    cats_and_dogs(tmp_path)
    (tmp_path / "cat" / "0.psd").write_bytes(b"x")
    dataset = load(tmp_path)
    assert len(dataset.labels) == 6
    assert any("0.psd" in note for note in dataset.notes)


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    cats_and_dogs(tmp_path)
    (tmp_path / "emu").mkdir()
    assert "emu" in refusal(tmp_path)


@pytest.mark.parametrize("make", [lambda root: None, lambda root: root.mkdir()])
def test_nothing_to_read_is_refused(make, tmp_path: Path) -> None:
    make(tmp_path / "root")
    assert str(tmp_path / "root") in refusal(tmp_path / "root")


def test_all_bad_images_are_counted_and_ten_are_shown(tmp_path: Path) -> None:
    cats_and_dogs(tmp_path)
    for number in range(12):
        (tmp_path / "cat" / f"bad{number:02}.jpg").write_bytes(b"no image")
    block = refusal(tmp_path)
    assert "12 images" in block
    assert block.count("cat/bad") == 10
    assert "2 more" in block
    assert "dataset.on_bad=skip; ae-cls check lists them all in findings.json" in block


def test_skipped_images_are_left_out_before_the_split_and_told(tmp_path: Path) -> None:
    cats_and_dogs(tmp_path)
    content = (tmp_path / "cat" / "1.png").read_bytes()
    (tmp_path / "cat" / "1.png").write_bytes(content[: len(content) // 2])
    dataset = load(tmp_path, on_bad="skip")
    assert dataset.left_out == ("cat/1.png",)
    assert any("cat/1.png" in note for note in dataset.notes)
    assert dataset.paths == ("cat/0.png", "cat/2.png", "dog/0.png", "dog/1.png", "dog/2.png")
    assert whole(dataset.images)[:, 0, 0, 0].tolist() == [20, 22, 10, 11, 12]
    assert dataset.labels.tolist() == [0, 0, 1, 1, 1]
    assert dataset.train.tolist() == [0, 1, 2, 3, 4]


def test_a_class_of_bad_images_alone_is_named(tmp_path: Path) -> None:
    cats_and_dogs(tmp_path)
    (tmp_path / "emu").mkdir()
    (tmp_path / "emu" / "a.png").write_bytes(b"no image")
    assert "emu" in refusal(tmp_path, on_bad="skip")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening_socket(path: Path) -> None:
    os.chdir(path.parent)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


def dangling_link(path: Path) -> None:
    path.symlink_to("nowhere.png")


def link_out(path: Path) -> None:
    path.symlink_to(picture(path.parents[2] / "outside.png"))


def link_to_folder(path: Path) -> None:
    path.symlink_to(path.parent, target_is_directory=True)


@pytest.mark.parametrize("make", [pipe, listening_socket, dangling_link, link_out, link_to_folder])
def test_only_files_inside_the_folder_are_read(
    make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # put back afterwards
    root = cats_and_dogs(tmp_path / "root")
    make(root / "cat" / "odd.png")
    assert "odd.png" in refusal(root)


def test_a_link_within_the_folder_is_read(tmp_path: Path) -> None:
    cats_and_dogs(tmp_path)
    (tmp_path / "cat" / "9.png").symlink_to("0.png")
    assert whole(load(tmp_path).images)[:, 0, 0, 0].tolist() == [20, 21, 22, 20, 10, 11, 12]


@pytest.mark.parametrize(
    "name", ["a b", "ä=1", "x,y", 'q"', "new\nline", "🙂", os.fsdecode(b"\xff")]
)
def test_any_name_of_a_class_is_read(name: str, tmp_path: Path) -> None:
    cats_and_dogs(tmp_path)
    picture(tmp_path / name / "a.png")
    dataset = load(tmp_path)
    assert name in dataset.class_names
    assert f"{name}/a.png" in dataset.paths


def test_sizes_channels_and_fit_are_the_users(tmp_path: Path) -> None:
    cats_and_dogs(tmp_path)
    changes = {"channels": 1, "fit": "pad", "mirrored_is_same": True}
    dataset = chosen("folder", root=str(tmp_path), image_size=[6, 12], **changes).load()
    assert dataset.image_shape == (1, 6, 12)
    assert whole(dataset.images)[0, 0, 3].tolist() == [255] * 3 + [20] * 6 + [255] * 3
    assert dataset.mirrored_is_same


def test_the_home_folder_may_be_written_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    cats_and_dogs(tmp_path / "photos")
    assert len(load(Path("~/photos")).labels) == 6


def table(root: Path, text: str, *, encoding: str = "utf-8") -> str:
    (root / "labels.csv").write_bytes(text.encode(encoding))
    return "labels.csv"


def numbered(root: Path, count: int = 4) -> Path:
    for number in range(count):
        picture(root / "some" / f"{number}.png", 10 * number)
    return root


FOUR = "path,label\nsome/0.png,b\nsome/1.png,a\nsome/2.png,b\nsome/3.png,a\n"


@pytest.mark.parametrize(
    "text",
    [
        FOUR,
        "\ufeff" + FOUR,
        FOUR.replace("\n", "\r\n"),
        FOUR.replace("some/1.png", '"./some/1.png"') + "\n",
        "label,path\nb,some/0.png\na,some/1.png\nb,some/2.png\na,some/3.png",
    ],
    ids=["plain", "byte order mark", "CRLF", "quoted", "other order"],
)
def test_a_label_file_gives_the_classes(text: str, tmp_path: Path) -> None:
    root = numbered(tmp_path)
    dataset = load(root, labels_csv=table(root, text))
    assert dataset.class_names == ("a", "b")
    assert dataset.labels.tolist() == [1, 0, 1, 0]
    assert whole(dataset.images)[:, 0, 0, 0].tolist() == [0, 10, 20, 30]


def test_a_label_file_may_quote_commas_and_give_the_part(tmp_path: Path) -> None:
    root = numbered(tmp_path)
    picture(root / "a, b.png")
    text = 'path,label,split\nsome/0.png,"x, y",train\nsome/1.png,"x, y",test\n"a, b.png",z,train\n'
    text += "some/2.png,z,val\nsome/3.png,z,\n"
    dataset = load(root, labels_csv=table(root, text))
    assert dataset.class_names == ("x, y", "z")
    assert parts(dataset) == {
        "train": ["a, b.png", "some/0.png", "some/3.png"],
        "valid": ["some/2.png"],
        "test": ["some/1.png"],
    }


def test_a_label_file_without_parts_keeps_those_of_the_folders(tmp_path: Path) -> None:
    for path in ("train/a.png", "train/b.png", "test/a.png", "unlabelled/a.png"):
        picture(tmp_path / path)
    text = "path,label\ntrain/a.png,x\ntrain/b.png,y\ntest/a.png,x\n"
    dataset = load(tmp_path, labels_csv=table(tmp_path, text))
    assert parts(dataset) == {
        "train": ["train/a.png", "train/b.png"],
        "test": ["test/a.png"],
        "unlabelled": ["unlabelled/a.png"],
    }


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("some/0.png,b", "line 6: some/0.png repeats line 2"),
        ("./some/0.png,b", "repeats line 2"),
        ("some/0.png,a", "line 6: some/0.png contradicts line 2"),
        ("../outside.png,a", "line 6: ../outside.png leads out"),
        ("some/../some/0.png,a", "leads out"),
        ("/etc/x.png,a", "line 6: /etc/x.png leads out"),
        ("some/9.png,a", "line 6: some/9.png does not exist"),
        ("some/4.png,a,b,c", "line 6: 4 fields, not 2"),
        ("some/4.png", "line 6: 1 fields, not 2"),
        ('"some/4.png,a', "unexpected end"),
    ],
)
def test_wrong_rows_of_a_label_file_are_named(row: str, why: str, tmp_path: Path) -> None:
    root = numbered(tmp_path / "root", 5)
    picture(tmp_path / "outside.png")
    assert why in refusal(root, labels_csv=table(root, FOUR + row + "\n"))


def test_all_wrong_rows_are_counted(tmp_path: Path) -> None:
    root = numbered(tmp_path)
    rows = "".join(f"gone/{number}.png,a\n" for number in range(12))
    block = refusal(root, labels_csv=table(root, FOUR + rows))
    assert "12 rows" in block and "line 15" in block and "2 more" in block


def test_images_without_a_row_or_a_label_are_unlabelled_and_told(tmp_path: Path) -> None:
    root = numbered(tmp_path, 6)
    dataset = load(root, labels_csv=table(root, FOUR + "some/5.png,\n"))
    assert parts(dataset)["unlabelled"] == ["some/4.png", "some/5.png"]
    assert dataset.labels_of(dataset.unlabelled).tolist() == [NO_LABEL] * 2
    assert [name in " ".join(dataset.notes) for name in parts(dataset)["unlabelled"]] == [True] * 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("where,what\nsome/0.png,a\n", "where, what"),
        ("", "its columns are none"),
        ("path,label,Split\nsome/0.png,a,test\n", "training has no class"),
        ("path,label,split\nsome/0.png,a,tryout\n", "split tryout"),
        ("path,label\nsome/0.png,\udc81\n", "0x81"),
    ],
)
def test_a_file_that_is_no_table_of_labels_is_refused(text: str, why: str, tmp_path: Path) -> None:
    root = numbered(tmp_path, 1)
    (root / "labels.csv").write_text(text, errors="surrogateescape")
    assert why in refusal(root, labels_csv="labels.csv")


def test_a_missing_label_file_is_named(tmp_path: Path) -> None:
    assert "gone.csv" in refusal(numbered(tmp_path), labels_csv="gone.csv")


def test_sixty_images_decode_to_what_they_are(tmp_path: Path) -> None:
    values = np.random.default_rng(0).permutation(60)
    for number, value in enumerate(values.tolist()):
        picture(tmp_path / "some" / f"{number:02}.png", value)
    assert np.array_equal(whole(load(tmp_path).images)[:, 0, 0, 0], values)


def test_a_run_needs_no_key_for_what_systems_add_to_folders(tmp_path: Path) -> None:
    cats_and_dogs(tmp_path)
    picture(tmp_path / "@eaDir" / "0.png")
    dataset = load(tmp_path)
    assert dataset.class_names == ("cat", "dog")
    assert any("@eaDir" in note for note in dataset.notes)


VARIANTS = [
    ["disc", "Disc", "DISC"],
    ["disc", " disc"],
    ["hot dog", "hot  dog"],
    ["\u00e9", "e\u0301"],
]


@pytest.mark.parametrize("names", VARIANTS)
def test_spellings_of_one_label_are_refused_merged_or_kept(
    names: list[str], tmp_path: Path
) -> None:
    root = numbered(tmp_path, 10)
    labels = [names[0]] * 4 + names[1:] + ["bar"] * 3
    lines = [f'some/{number}.png,"{label}",' for number, label in enumerate(labels)]
    text = "\n".join(["path,label,x", *lines])
    if names[1].strip() != names[1]:  # blanks around a label are no part of it in a table
        for number, label in enumerate(labels):
            picture(root / "own" / label / f"{number}.png", 10 * number)
        changes: dict[str, object] = {"label_pattern": "^own/([^/]+)/"}
    else:
        changes = {"labels_csv": table(root, text)}
    block = refusal(root, **changes)
    assert "dataset.spellings=merge" in block and "dataset.spellings=keep" in block
    assert "(4)" in block
    merged = load(root, **changes, spellings="merge")
    assert merged.class_names == ("bar", names[0])
    assert any("(4)" in note for note in merged.notes)
    assert len(load(root, **changes, spellings="keep").class_names) == len(names) + 1


def test_letters_may_be_classes_in_both_cases(tmp_path: Path) -> None:
    for name in ("A", "a"):
        picture(tmp_path / name / "0.png")
    assert load(tmp_path, spellings="keep").class_names == ("A", "a")


def test_the_folder_of_a_file_may_be_its_group(tmp_path: Path) -> None:
    for path in ("cat/p1/0.png", "cat/p1/1.png", "cat/p2/0.png", "dog/p1/0.png"):
        picture(tmp_path / path)
    groups = load(tmp_path, group="parent_folder").groups
    assert groups is not None
    assert groups.tolist() == [0, 0, 1, 2]


def test_an_expression_over_the_path_may_give_the_group(tmp_path: Path) -> None:
    for path in ("cat/p7_a.png", "cat/p7_b.png", "dog/p10_a.png", "dog/none.png"):
        picture(tmp_path / path)
    dataset = load(tmp_path, group=r"(p\d+)_")
    assert dataset.paths[2] == "dog/none.png"
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [1, 1, -1, 0]
    assert any("2 groups" in note and "1 images match none" in note for note in dataset.notes)
    assert load(tmp_path).groups is None
    assert "no path matches" in refusal(tmp_path, group="q")


def test_groups_of_a_table_are_numbered_and_those_without_are_minus_one(tmp_path: Path) -> None:
    root = numbered(tmp_path)
    text = "path,label,group\nsome/0.png,b,x\nsome/1.png,a,\nsome/2.png,b,w\nsome/3.png,a,x\n"
    groups = load(root, labels_csv=table(root, text)).groups
    assert groups is not None
    assert groups.tolist() == [1, -1, 0, 1]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"path_column": "x"}, "give labels_csv as well"),
        ({"labels_csv": "a.csv", "label_pattern": "x"}, "one of the two"),
        ({"labels_csv": "a.csv", "group_column": "g", "group": "x"}, "one of the two"),
        ({"label_pattern": "("}, "not a regular expression"),
        ({"group": "("}, "not a regular expression"),
    ],
)
def test_keys_that_do_not_fit_together_are_refused_before_any_file_is_read(
    changes: dict[str, object], why: str
) -> None:
    with pytest.raises(ValidationError, match=why):
        chosen("folder", root="nowhere", **changes)


def test_a_folder_without_images_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.heic2").write_bytes(b"x")
    block = refusal(tmp_path)
    assert "1 .heic2" in block and ".jpg" in block
