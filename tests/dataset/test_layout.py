"""What folders say of parts and classes, and what is said of folders that say neither."""

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ae_cls.dataset.files.label_pattern import files_by_pattern
from ae_cls.dataset.files.layout import files_by_folder
from ae_cls.dataset.files.listing import Listing
from ae_cls.dataset.files.parts import part_of
from ae_cls.errors import DataError, typed
from ae_cls.words.compose import compose
from tests.dataset.listed import classes, listed, pictures_at, told

PARTS = {
    "train": ["train", "Training", "train_set", "TRAIN"],
    "valid": ["valid", "val", "Validation", "dev"],
    "test": ["test", "Testing", "test-set", "holdout"],
    "unlabelled": ["unlabelled", "unlabeled", "no_labels"],
}
WORD = {part: st.sampled_from(words) for part, words in PARTS.items()}
# No word for a part is made of these letters.
NAME = st.text("abcz äé-+ 0", min_size=1, max_size=5).map(str.strip).filter(bool)


CLASSES = st.lists(NAME, min_size=2, max_size=4, unique=True)


def refusal(listing: Listing) -> DataError:
    with pytest.raises(DataError) as caught:
        files_by_folder(listing)
    assert caught.value.fix
    return caught.value


def value_of(error: DataError, key: str) -> str:
    """The value of the first word of the fix that sets this key, as the command line reads it."""
    return value_in(error.fix, key)


def value_in(text: str, key: str) -> str:
    """The value of the first word that sets this key, as the command line reads it."""
    (line,) = [line for line in text.splitlines() if key in line][:1]
    word = next(word for word in shlex.split(line) if word.startswith(key))
    value = compose("run", ["dataset=folder", word.rstrip(",;")])["dataset"][key.split(".")[1]]
    assert isinstance(value, str)
    return value


@settings(max_examples=40)
@given(CLASSES, st.fixed_dictionaries({"train": WORD["train"]}, optional={
    "valid": WORD["valid"], "test": WORD["test"], "unlabelled": WORD["unlabelled"],
}))  # fmt: skip
def test_parts_are_read_under_all_their_names(names: list[str], words: dict[str, str]) -> None:
    paths = {
        path: (part, None if part == "unlabelled" else path.split("/")[1])
        for part, word in words.items()
        for path in classes(word, names=names)
    }
    assert told(files_by_folder(listed(*paths))) == paths


@settings(max_examples=40)
@given(CLASSES)
def test_classes_are_read_at_any_depth_below(names: list[str]) -> None:
    paths = {f"{name}/deep/er/{number}.jpg": name for name in names for number in range(2)}
    paths |= {f"{name}/x.jpg": name for name in names}
    found = told(files_by_folder(listed(*paths)))
    assert found == {path: ("train", name) for path, name in paths.items()}


PIECE = st.one_of(NAME, *(WORD.values()), st.sampled_from(["fold1", "train_1", "eval", "images"]))


@settings(max_examples=40)
@given(st.sets(st.lists(PIECE, max_size=3).map(tuple), min_size=1, max_size=8))
def test_no_layout_is_read_by_halves_and_no_class_is_called_like_a_part(
    folders: set[tuple[str, ...]],
) -> None:
    listing = listed(*("/".join([*folder, "a.png"]) for folder in folders))
    try:
        found = told(files_by_folder(listing))
    except DataError as error:
        assert error.why and error.fix
    else:
        assert sorted(found) == sorted(listing.files)
        labels = {label for _, label in found.values() if label is not None}
        assert not any(map(part_of, labels))
        assert all((part == "unlabelled") == (label is None) for part, label in found.values())


@pytest.mark.parametrize("pair", [("Training", "train"), ("val", "valid"), ("test", "TESTING")])
def test_two_folders_for_one_part_are_refused(pair: tuple[str, str]) -> None:
    why = refusal(listed(*classes("train_set" if pair[0] != "Training" else pair[0], *pair))).why
    assert all(word in why for word in pair)
    assert "both mean" in why


@pytest.mark.parametrize(
    ("folders", "named"),
    [
        (["train_1", "train_2"], "train_1, train_2"),
        (["fold1", "fold2"], "fold1, fold2"),
        (["mnist_train", "mnist_test"], "mnist_test, mnist_train"),
        (["X_train", "X_val", "X_test"], "X_test, X_train, X_val"),
        (["cat", "eval"], "eval"),
    ],
)
def test_class_folders_that_look_like_parts_are_refused(folders: list[str], named: str) -> None:
    error = refusal(listed(*classes(*folders)))
    assert named in error.why and "look like parts" in error.why
    assert "name them train and test" in error.fix
    for_those_who_mean_it = error.fix.partition("if they are the classes: ")[2]
    pattern = re.compile(value_in(for_those_who_mean_it, "dataset.label_pattern"))
    found = told(files_by_pattern(listed(*classes(*folders)), pattern))
    assert {label for _, label in found.values()} == set(folders)


@settings(max_examples=40, deadline=None)  # the first one composes
@given(
    st.sampled_from(["{}", "seg_{}/seg_{}", "{}_set/{}_set", "X_{}", "{} (1)", "{}1", "2 {}-v2"]),
    st.sampled_from([("train", "test"), ("Training", "Testing"), ("TRAIN", "VAL")]),
    st.lists(NAME.filter(lambda name: not part_of(name)), min_size=2, max_size=3, unique=True),
)
def test_parts_with_more_in_their_names_are_read_by_the_expression_that_is_given(
    form: str, parts: tuple[str, str], names: list[str]
) -> None:
    folders = {form.replace("{}", part): part_of(part) for part in parts}
    listing = listed(*classes(*folders, names=names))
    if form == "{}":  # these are read as they are
        assert told(files_by_folder(listing)).keys() == set(listing.files)
        return
    error = refusal(listing)
    pattern = re.compile(value_of(error, "dataset.label_pattern"))
    assert told(files_by_pattern(listing, pattern)) == {
        f"{folder}/{name}/{number}.png": (part, name)
        for folder, part in folders.items() for name in names for number in (0, 1)
    }  # fmt: skip
    rows = [line.strip() for line in error.fix.splitlines() if ".png," in line]
    if rows:  # where more lies beside a part that is known, no table is needed
        first, last = listing.files[0], listing.files[-1]
        assert [row.split(",")[:2] for row in rows] == [
            [path, path.split("/")[-2]] for path in (first, last)
        ]
        assert all(part_of(row.split(",")[2]) for row in rows)


@pytest.mark.parametrize(
    "paths",
    [
        classes("fold1", "fold2"),  # which is for training is nowhere said
        [*classes("a_train"), "a_test/emu/0.png"],  # a class that training lacks
        classes("a_train", "a_test", names=["cat"]),  # one class
    ],
)
def test_no_expression_is_given_that_would_not_do(paths: list[str]) -> None:
    assert refusal(listed(*paths)).fix.count("label_pattern") == 1  # for folders that are classes


def test_folders_that_all_hold_the_same_are_noted_with_the_word_for_what_they_hold() -> None:
    listing = listed(*classes("Trainingsdaten", "Testdaten"))
    found = files_by_folder(listing)
    (note,) = found.notes
    assert {label for _, label in told(found).values()} == {"Trainingsdaten", "Testdaten"}
    pattern = re.compile(value_in(note, "dataset.label_pattern"))
    assert {label for _, label in told(files_by_pattern(listing, pattern)).values()} == {
        "cat",
        "dog",
    }


@pytest.mark.parametrize(
    "paths",
    [
        classes(""),
        classes("a", "b", names=["left"]),
        [*classes("a", "b"), "a/more/0.png"],
        [*classes("a", "b"), "a/0.png"],
    ],
)
def test_folders_that_hold_no_classes_of_their_own_are_not_noted(paths: list[str]) -> None:
    notes = files_by_folder(listed(*paths)).notes
    assert not any("each of the classes" in note for note in notes)


@pytest.mark.parametrize("name", ["{}_{:03}.jpg", "{1}-{0}.jpg", "{}{}.jpg", "P1_{} ({}).jpg"])
def test_classes_in_the_names_of_a_flat_folder_are_noted_with_the_word_that_reads_them(
    name: str,
) -> None:
    paths = {name.format(word, number): word for word in ("disc", "bar") for number in range(9)}
    listing = listed(*paths)
    found = files_by_folder(listing)
    assert {part for part, _ in told(found).values()} == {"unlabelled"}
    note = next(note for note in found.notes if "no image has a label" in note)
    pattern = re.compile(value_in(note, "dataset.label_pattern"))
    labels = {label for _, label in told(files_by_pattern(listing, pattern)).values()}
    assert {str(label).removeprefix("P1_") for label in labels} == {"disc", "bar"}


@pytest.mark.parametrize("count", [1, 3000])
def test_names_that_hold_no_classes_are_not_noted(count: int) -> None:
    listing = listed(*(f"IMG_{number:05}.jpg" for number in range(count)))
    assert not any("no image has a label" in note for note in files_by_folder(listing).notes)


def test_classes_in_names_are_found_beyond_the_first_thousand_images_of_one_class() -> None:
    listing = listed(*(f"train/{word}.{n}.jpg" for word in ("cat", "dog") for n in range(1500)))
    assert "if the classes are cat, dog: " in refusal(listing).fix


@pytest.mark.parametrize(
    ("wrapping", "names"),
    [
        (["PetImages"], ["cat", "dog"]),
        (["data", "PetImages"], ["cat", "dog"]),
        (["dataset"], ["train", "test"]),
        (["a b", "2024"], ["0", "1"]),
    ],
)
def test_a_root_that_is_too_high_is_named_with_the_word_to_type(
    wrapping: list[str], names: list[str], tmp_path: Path
) -> None:
    inner = "/".join(wrapping)
    error = refusal(listed(*classes(inner, names=names), root=tmp_path))
    assert error.what == f"one class only, {wrapping[0]}"
    assert all(name in error.why for name in names)
    assert value_of(error, "dataset.root") == str(tmp_path / inner)


def test_a_folder_too_many_within_the_parts_is_named_with_the_word_to_type() -> None:
    listing = listed(*classes("train/images", "test/images"))
    pattern = re.compile(value_of(refusal(listing), "dataset.label_pattern"))
    found = told(files_by_pattern(listing, pattern))
    assert found["train/images/cat/0.png"] == ("train", "cat")
    assert found["test/images/dog/1.png"] == ("test", "dog")


def test_wrapped_classes_beside_unlabelled_images_keep_both() -> None:
    listing = listed(*classes("pets"), "unlabelled/a.png")
    pattern = re.compile(value_of(refusal(listing), "dataset.label_pattern"))
    found = told(files_by_pattern(listing, pattern))
    assert found["pets/dog/0.png"] == ("train", "dog")
    assert found["unlabelled/a.png"] == ("unlabelled", None)


def test_parts_within_classes_are_read_by_the_expression_that_is_given() -> None:
    listing = listed(*classes("cat", "dog", names=["train", "test"]))
    pattern = re.compile(value_of(refusal(listing), "dataset.label_pattern"))
    found = told(files_by_pattern(listing, pattern))
    assert found["cat/train/0.png"] == ("train", "cat")
    assert found["dog/test/1.png"] == ("test", "dog")


def test_a_test_part_beside_classes_is_read_by_the_expression_that_is_given() -> None:
    listing = listed(*classes("", "test"))
    error = refusal(listing)
    assert "there is test but no train" in error.why
    found = told(files_by_pattern(listing, re.compile(value_of(error, "dataset.label_pattern"))))
    assert found["cat/0.png"] == ("train", "cat")
    assert found["test/dog/1.png"] == ("test", "dog")


def test_a_root_that_has_the_test_part_alone_is_named_with_the_folder_above(tmp_path: Path) -> None:
    root = pictures_at(tmp_path, *classes("data/train", "data/rest/test")) / "data" / "rest"
    error = refusal(listed(*classes("test"), root=root))
    assert value_of(error, "dataset.root") == str(tmp_path / "data")


@pytest.mark.parametrize(
    "name", ["{}.{}.jpg", "{}_{:03}.jpg", "{} ({}).jpg", "{1}-{0}.jpg", "{}{}.jpg"]
)
def test_classes_in_names_are_read_by_the_expression_that_is_given(name: str) -> None:
    paths = {
        f"train/{name.format(label, number)}": label
        for label in ("disc", "bar")
        for number in range(9)
    }
    listing = listed(*paths)
    error = refusal(listing)
    assert "lies in no class folder" in error.why and "8 more" not in error.why
    assert "path,label" in error.fix and ",disc" in error.fix
    found = told(files_by_pattern(listing, re.compile(value_of(error, "dataset.label_pattern"))))
    assert found == {path: ("train", label) for path, label in paths.items()}


def test_a_flat_test_part_is_for_predict_and_the_rest_can_be_used(tmp_path: Path) -> None:
    error = refusal(listed(*classes("train"), "test/0.png", "test/1.png", root=tmp_path))
    assert value_of(error, "dataset.root") == str(tmp_path / "train")
    assert f"ae-cls predict MODEL {tmp_path}/test" in error.fix
    assert "test/0.png,CLASS" in error.fix


@pytest.mark.parametrize("path", ["cat/0.png", "train/cat/0.png"])
def test_images_beside_the_folders_are_refused(path: str) -> None:
    error = refusal(listed(path, "loose.png", "more.png"))
    assert "loose.png" in error.why and "1 more" in error.why


def test_classes_beside_a_part_for_training_are_refused_with_a_way_for_a_class_called_train() -> (
    None
):
    listing = listed(*classes("", names=["bus", "train"]))
    error = refusal(listing)
    assert "beside train there is bus" in error.why
    found = told(files_by_pattern(listing, re.compile(value_of(error, "dataset.label_pattern"))))
    assert {label for _, label in found.values()} == {"bus", "train"}


@pytest.mark.parametrize(
    ("paths", "empty"),
    [
        (classes(""), "emu"),
        (classes("train"), "test"),
        (classes("train", "test"), "test/emu"),
    ],
)
def test_empty_folders_are_named_with_what_they_hold_instead(paths: list[str], empty: str) -> None:
    listing = listed(*paths, folders=[empty])
    listing = Listing(listing.folder, listing.files, listing.folders, (f"{empty}/a.heic",))
    error = refusal(listing)
    assert empty in error.where and "1 .heic" in error.why


def test_a_root_that_is_too_low_is_noted(tmp_path: Path) -> None:
    pictures_at(tmp_path, *classes("data/train", "data/test"))
    found = files_by_folder(listed(*classes(""), root=tmp_path / "data" / "train"))
    (note,) = found.notes
    assert typed("dataset.root", tmp_path / "data") in note and "test" in note


def test_a_class_folder_as_root_is_noted(tmp_path: Path) -> None:
    pictures_at(tmp_path, *classes("photos"))
    (note,) = files_by_folder(listed("0.png", root=tmp_path / "photos" / "cat")).notes
    assert typed("dataset.root", tmp_path / "photos") in note and "dog" in note


def test_classes_that_hold_folders_beside_classes_that_hold_images_are_noted(
    tmp_path: Path,
) -> None:
    found = files_by_folder(listed(*classes("PetImages"), "docs/figure.png", root=tmp_path))
    (note,) = found.notes
    assert typed("dataset.root", tmp_path / "PetImages") in note
    unlike = [*classes("a"), *classes("b", names=["left", "right"])]
    assert files_by_folder(listed(*unlike, root=tmp_path)).notes == ()


def test_a_table_that_is_left_out_is_noted_where_there_are_no_labels(tmp_path: Path) -> None:
    listing = Listing(tmp_path / "own", ("photos/0.png",), ("photos",), ("labels.csv",))
    assert "dataset.labels_csv=labels.csv" in files_by_folder(listing).notes[-1]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"(?P<label>[a-z]+)\d", ("train", "disc")),
        (r"([a-z]+)\d", ("train", "disc")),
        (r"disc|bar", ("train", "disc")),
        (r"(?P<part>te)?/(?P<label>d)", ("train", "d")),
    ],
)
def test_an_expression_gives_the_class(pattern: str, expected: tuple[str, str]) -> None:
    found = told(files_by_pattern(listed("a/disc1.png", "a/0.png"), re.compile(pattern)))
    assert found == {"a/disc1.png": expected, "a/0.png": ("unlabelled", None)}


def test_paths_without_a_class_are_counted() -> None:
    found = files_by_pattern(listed("a1.png", "2.png", "3.png"), re.compile("[a-z]1"))
    assert "2 images have no class" in found.notes[0]


def test_an_expression_that_matches_nothing_or_no_part_is_refused() -> None:
    with pytest.raises(DataError, match="no path matches"):
        files_by_pattern(listed("a/1.png"), re.compile("x"))
    with pytest.raises(DataError, match="z is not the name of a part"):
        files_by_pattern(listed("z/a1.png"), re.compile("(?P<part>z)/(?P<label>a)"))
