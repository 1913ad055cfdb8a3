"""Arrays that people save, and those that must not be believed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ae_cls.dataset import decoded
from ae_cls.dataset.contract import NO_LABEL, Dataset
from ae_cls.dataset.files import npz_file
from ae_cls.dataset.sources import npz
from ae_cls.dataset.stored import StoredImages
from ae_cls.errors import DataError
from tests.dataset.chosen import chosen, whole
from tests.dataset.written import labels_of, pictures

GREY, COLOUR, LABELS = pictures(12, 9, 8), pictures(12, 3, 9, 8), labels_of(12, 3)


@pytest.fixture(autouse=True, params=["in memory", "in a file"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """All is asked of small sets and, in blocks of one image, of sets too large for memory."""
    if request.param == "in a file":
        for module in (npz, decoded):
            monkeypatch.setattr(module, "LARGEST_IN_MEMORY", 0)
        monkeypatch.setattr(npz_file, "_BLOCK", 1)
    return request.param


def save(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "own.npz", **arrays)  # pyright: ignore[reportArgumentType]
    return folder / "own.npz"


def load(path: Path, **changes: object) -> Dataset:
    return chosen("npz", root=str(path), **changes).load()


def refusal(path: Path, **changes: object) -> str:
    with pytest.raises(DataError) as caught:
        load(path, **changes)
    return caught.value.block()


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (GREY, GREY[:, None]),
        (GREY[..., None], GREY[:, None]),
        (GREY[:, None], GREY[:, None]),
        (COLOUR, COLOUR),
        (COLOUR.transpose(0, 2, 3, 1), COLOUR),
        (np.asfortranarray(COLOUR), COLOUR),
        (COLOUR.astype(np.float32) / 255, COLOUR),
        (COLOUR.astype(np.float64) / 255, COLOUR),
    ],
)
def test_shapes_and_types_of_images(
    images: np.ndarray, expected: np.ndarray, tmp_path: Path
) -> None:
    dataset = load(save(tmp_path, images=images, labels=LABELS))
    assert np.array_equal(whole(dataset.images), expected)
    assert len(dataset.train) == 12
    assert dataset.class_names == ("0", "1", "2")


def test_large_sets_are_stored_once_and_read_from_there(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, images=COLOUR, labels=LABELS)
    assert isinstance(load(path).images, StoredImages) == (place == "in a file")
    with monkeypatch.context() as patched:
        patched.setattr(npz, "_decoded", lambda sources: [])
        assert np.array_equal(whole(load(path).images), COLOUR)
    changed = save(tmp_path, images=COLOUR[::-1], labels=LABELS)
    assert np.array_equal(whole(load(changed).images), COLOUR[::-1])


def test_packed_files_are_read_too(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "own.npz", images=COLOUR, labels=LABELS)
    assert np.array_equal(whole(load(tmp_path / "own.npz").images), COLOUR)


def test_a_set_may_have_no_label_at_all(tmp_path: Path) -> None:
    dataset = load(save(tmp_path, images=GREY, labels=np.full(12, NO_LABEL)))
    assert len(dataset.train) == 0
    assert dataset.unlabelled.tolist() == list(range(12))


@pytest.mark.parametrize("valid", ["val", "valid"])
def test_the_layout_of_medmnist(valid: str, tmp_path: Path) -> None:
    arrays = {}
    for part, rows in (("train", slice(0, 6)), (valid, slice(6, 9)), ("test", slice(9, 12))):
        arrays[f"{part}_images"] = GREY[rows]
        arrays[f"{part}_labels"] = LABELS[rows, None].astype(np.uint8)
    dataset = load(save(tmp_path, **arrays))
    assert [len(dataset.train), len(dataset.valid), len(dataset.test)] == [6, 3, 3]
    assert np.array_equal(dataset.labels.numpy(), LABELS)
    assert np.array_equal(whole(dataset.images)[:, 0], GREY)


def test_images_without_labels_are_for_pretraining(tmp_path: Path) -> None:
    labels = LABELS.copy()
    labels[[2, 5]] = NO_LABEL
    path = save(tmp_path, images=GREY, labels=labels, unlabelled_images=GREY[:4])
    dataset = load(path)
    assert len(dataset.train) == 10
    assert (dataset.labels_of(dataset.train) == labels[labels != NO_LABEL]).all()
    found = whole(dataset.images)[dataset.unlabelled, 0]
    assert np.array_equal(found, np.concatenate([GREY[[2, 5]], GREY[:4]]))


def test_names_come_from_the_config_then_the_file(tmp_path: Path) -> None:
    path = save(tmp_path, images=GREY, labels=LABELS, class_names=np.array(["a", "b", "c"]))
    assert load(path).class_names == ("a", "b", "c")
    assert load(path, class_names=["x", "y", "z"]).class_names == ("x", "y", "z")


def nan_at_seven() -> np.ndarray:
    values = GREY / 255
    values[7, 2, 1] = np.nan
    return values


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"images": nan_at_seven(), "labels": LABELS}, "index 7 holds nan"),
        ({"images": np.full((12, 9, 8), np.inf), "labels": LABELS}, "index 0 holds inf"),
        ({"images": GREY.astype(float), "labels": LABELS}, "float64 from 0 to 255"),
        ({"images": GREY.astype(complex), "labels": LABELS}, "complex128"),
        ({"images": GREY.astype("U3"), "labels": LABELS}, "<U3"),
        ({"images": pictures(12, 5, 9, 8), "labels": LABELS}, "(12, 5, 9, 8)"),
        ({"images": GREY[:0], "labels": LABELS[:0]}, "(0, 9, 8)"),
        ({"images": pictures(12, 81), "labels": LABELS}, "images = images.reshape(-1, 9, 9)"),
        ({"images": pictures(12, 48), "labels": LABELS}, "images = images.reshape(-1, 3, 4, 4)"),
        ({"images": pictures(12, 72), "labels": LABELS}, "images.reshape(-1, HEIGHT, WIDTH), "),
        ({"images": pictures(12, 2, 9, 8, 3), "labels": LABELS}, "reshape(-1, HEIGHT, WIDTH, 3)"),
        ({"images": pictures(12, 9, 8, 4), "labels": LABELS}, "images = images[..., :3]"),
        ({"images": GREY, "labels": LABELS[:-1]}, "11 labels for 12"),
        ({"images": GREY, "labels": LABELS - 2}, "index 0 holds -2"),
        ({"images": GREY, "labels": LABELS + 0.5}, "index 0 holds 0.5: no whole number"),
        ({"images": GREY, "labels": LABELS + np.inf}, "index 0 holds inf"),
        ({"images": GREY, "labels": np.eye(12, 3, dtype=int)}, "labels.argmax(1)"),
        ({"images": GREY, "labels": np.full((12, 3), 1 / 3)}, "labels.argmax(1)"),
        ({"images": GREY, "labels": np.zeros((12, 9, 8))}, "one label an image"),
        ({"images": GREY, "labels": np.array(1)}, "no labels for 12 images"),
        ({"images": GREY, "labels": LABELS + 1}, "labels = labels - 1"),
        ({"images": GREY, "labels": LABELS + 1}, "the labels begin at 1"),
        (
            {"images": GREY, "labels": np.where(LABELS == 0, -1, LABELS)},
            "labels = np.where(labels < 0, -1, labels - 1)",
        ),
        ({"images": GREY, "labels": LABELS + 5}, "np.unique(labels, return_inverse=True)[1]"),
        ({"images": GREY, "labels": LABELS * 10**12}, "no training image has the label 1"),
        ({"images": GREY, "labels": 2 * (LABELS > 0) - 1}, "(labels > 0).astype(int)"),
        (
            {"images": GREY, "labels": LABELS + 1, "class_names": np.array(list("abc"))},
            "the labels begin at 1",
        ),
        (
            {"images": GREY, "labels": LABELS + 1, "class_names": np.array(list("abcd"))},
            "no training image has the label a",
        ),
        ({"images": GREY, "labels": np.array(["disc", "Disc"] * 6)}, "np.char.lower(labels)"),
        (
            {
                "images": GREY,
                "labels": np.array(list("abc") * 4),
                "test_images": GREY[:2],
                "test_labels": np.array(["a", "d"]),
            },
            "index 1 holds d: not a class",
        ),
        ({"images": GREY, "labels": LABELS, "groups": LABELS / 2}, "one integer or name an image"),
        ({"images": GREY, "labels": LABELS, "groups": LABELS[1:]}, "12 in all"),
        ({"images": GREY, "kinds": LABELS}, "labels is missing"),
        ({"x": GREY, "data": GREY, "y": LABELS}, "two arrays of own.npz may be the images"),
        ({"pictures": GREY, "labels": LABELS}, "pictures"),
        ({"images": GREY, "train_images": GREY, "labels": LABELS}, "train_images"),
        (
            {"images": GREY, "labels": LABELS, "class_names": np.array(["a", "b"])},
            "index 2 holds 2",
        ),
        ({"images": GREY, "labels": LABELS, "class_names": np.arange(3)}, "class_names"),
        (
            {
                "images": GREY,
                "labels": LABELS,
                "test_images": GREY[:1],
                "test_labels": LABELS[:1] + 9,
            },
            "index 0 holds 9",
        ),
        (
            {
                "images": GREY,
                "labels": LABELS,
                "test_images": GREY[:1],
                "test_labels": LABELS[:1] - 1,
            },
            "index 0 has no label",
        ),
        (
            {"images": GREY, "labels": LABELS, "test_images": COLOUR, "test_labels": LABELS},
            "(3, 9, 8)",
        ),
        ({"images": GREY, "labels": LABELS, "unlabelled_images": COLOUR}, "(3, 9, 8)"),
    ],
)
def test_wrong_arrays_are_named_with_the_index(
    arrays: dict[str, np.ndarray], why: str, tmp_path: Path
) -> None:
    block = refusal(save(tmp_path, **arrays))
    assert block.startswith("error[3]")
    assert why in block


class _Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["images", "labels", "class_names", "other"])
def test_objects_are_refused_and_never_built(name: str, tmp_path: Path) -> None:
    arrays = {"images": GREY, "labels": LABELS}
    arrays[name] = np.array([_Canary(tmp_path / "canary")] * 12, dtype=object)
    assert name in refusal(save(tmp_path, **arrays))
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("content", [b"", b"x" * 99, b"\x80\x04."])
def test_what_is_no_npz_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "own.npz").write_bytes(content)
    assert "the directory of own.npz" in refusal(tmp_path / "own.npz")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "gone.npz") in refusal(tmp_path / "gone.npz")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_damaged_file_is_refused(share: float, tmp_path: Path) -> None:
    path = save(tmp_path, images=GREY, labels=LABELS)
    content = bytearray(path.read_bytes())
    place = int(len(content) * share)
    content[place : place + 40] = b"\xff" * 40
    path.write_bytes(content)
    assert str(path) in refusal(path)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_images_of_another_check_sum_are_refused(write, tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    write(path, images=GREY, labels=LABELS)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 16] ^= 1  # in the first entry of the directory
    path.write_bytes(content)
    assert "images of own.npz cannot be read" in refusal(path)


def test_damage_in_the_directory_of_the_file_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, images=GREY, labels=LABELS)
    content = path.read_bytes()
    for place in range(len(content) - 160, len(content), 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            load(path)
        except DataError:
            continue


def test_mirrors_are_as_the_user_says(tmp_path: Path) -> None:
    path = save(tmp_path, images=GREY, labels=LABELS)
    assert load(path, mirrored_is_same=True).mirrored_is_same
    assert not load(path).mirrored_is_same


@pytest.mark.parametrize("kind", ["u2", ">u2", "i2", "u4", "i8", "u8"])
def test_integers_that_use_a_byte_are_bytes(kind: str, place: str, tmp_path: Path) -> None:
    dark = (GREY // 8).astype(kind)  # alone, these would be in doubt
    arrays = {"train_images": GREY.astype(kind), "train_labels": LABELS}
    arrays |= {"test_images": dark, "test_labels": LABELS}
    found = whole(load(save(tmp_path, **arrays)).images)[:, 0]
    assert np.array_equal(found, np.concatenate([GREY, GREY // 8]))


def test_true_is_white(tmp_path: Path) -> None:
    dataset = load(save(tmp_path, images=GREY > 99, labels=LABELS))
    assert np.array_equal(whole(dataset.images)[:, 0], np.where(GREY > 99, 255, 0))


EXACT = GREY.copy()
EXACT[0, 0, :2] = 0, 255
"""With both ends of the range, so that a stretched range is the range itself."""


@pytest.mark.parametrize(
    ("images", "fix", "mended"),
    [
        (
            (EXACT / 127.5 - 1).astype(np.float32),
            "images = ((images + 1) * 127.5).round().astype('uint8')",
            lambda images: ((images + 1) * 127.5).round().astype("uint8"),
        ),
        (
            EXACT.astype(np.float32),
            "images = images.round().astype('uint8')",
            lambda images: images.round().astype("uint8"),
        ),
        (
            EXACT.astype(np.uint16) * 257,
            "images = (images / 257).round().astype('uint8')",
            lambda images: (images / 257).round().astype("uint8"),
        ),
        (
            EXACT.astype(np.uint16) * 16,
            "images = (images * (255 / 4080)).round().astype('uint8')",
            lambda images: (images * (255 / 4080)).round().astype("uint8"),
        ),
        (
            (EXACT.astype(np.int32) * 257 - 32768).astype(np.int16),
            "images = ((images.astype('float64') + 32768) * (255 / 65535)).round().astype('uint8')",
            lambda images: (
                ((images.astype("float64") + 32768) * (255 / 65535)).round().astype("uint8")
            ),
        ),
        (
            np.where(EXACT > 99, 1, 0),
            "images = (images * 255.0).astype('uint8')",
            lambda images: (images * 255.0).astype("uint8"),
        ),
        (
            EXACT.astype(np.float64) * 1e6 - 5e5,
            "images = ((images.astype('float64') + 500000) * (255 / 255000000))"
            ".round().astype('uint8')",
            lambda images: (
                ((images.astype("float64") + 500000) * (255 / 255000000)).round().astype("uint8")
            ),
        ),
    ],
    ids=["-1 to 1", "0.0 to 255.0", "16 bits", "12 bits", "signed", "0 and 1", "large"],
)
def test_numbers_in_doubt_are_refused_with_what_mends_them(
    images: np.ndarray, fix: str, mended: Callable[[np.ndarray], np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        load(save(tmp_path, images=images, labels=LABELS))
    assert caught.value.fix == fix
    black_and_white = np.array_equal(np.unique(images), [0, 1])
    expected = np.where(EXACT > 99, 255, 0) if black_and_white else EXACT
    found = load(save(tmp_path, images=mended(images), labels=LABELS))
    assert np.array_equal(whole(found.images)[:, 0], expected)


def test_each_array_in_doubt_is_mended_on_one_scale(tmp_path: Path) -> None:
    arrays = {f"{part}_labels": LABELS for part in ("train", "test")}
    arrays |= {"train_images": EXACT / 2.0 - 60, "test_images": EXACT / 2.0}
    with pytest.raises(DataError) as caught:
        load(save(tmp_path, **arrays))
    ends = "+ 60) * (255 / 187.5)).round().astype('uint8')"
    assert caught.value.fix.splitlines() == [
        f"{name} = (({name}.astype('float64') {ends}" for name in ("train_images", "test_images")
    ]


NAMES = np.array(["cat", "ant", "bee"])


@pytest.mark.parametrize(
    "labels",
    [
        NAMES[LABELS],
        NAMES[LABELS].astype(bytes),
        np.char.add(NAMES[LABELS], "  "),
        NAMES[LABELS][:, None],
    ],
)
def test_names_are_labels_in_the_order_of_their_letters(labels: np.ndarray, tmp_path: Path) -> None:
    dataset = load(save(tmp_path, images=GREY, labels=labels))
    assert dataset.class_names == ("ant", "bee", "cat")
    assert dataset.labels.tolist() == [[2, 0, 1][label] for label in LABELS]


def test_names_of_all_parts_have_one_order_and_empty_ones_are_no_label(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        train_images=GREY[:4],
        train_labels=np.array(["b", "a", "", "b"]),
        test_images=GREY[4:6],
        test_labels=np.array(["b", "b"]),
    )
    dataset = load(path)
    assert dataset.labels.tolist() == [1, 0, NO_LABEL, 1, 1, 1]
    assert [dataset.train.tolist(), dataset.unlabelled.tolist()] == [[0, 1, 3], [2]]


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32, np.float64])
def test_one_column_a_class_is_without_doubt(kind: type, tmp_path: Path) -> None:
    dataset = load(save(tmp_path, images=GREY, labels=np.eye(3)[LABELS].astype(kind)))
    assert np.array_equal(dataset.labels.numpy(), LABELS)
    assert dataset.class_names == ("0", "1", "2")


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8, np.int16])
def test_whole_numbers_of_any_type_are_labels(kind: type, tmp_path: Path) -> None:
    assert np.array_equal(
        load(save(tmp_path, images=GREY, labels=LABELS.astype(kind))).labels.numpy(), LABELS
    )


def test_yes_and_no_are_two_classes(tmp_path: Path) -> None:
    dataset = load(save(tmp_path, images=GREY, labels=LABELS == 1))
    assert dataset.labels.tolist() == (LABELS == 1).astype(int).tolist()


@pytest.mark.parametrize("kind", [np.int64, "U4", "S4"])
def test_groups_are_numbered_over_all_parts(kind: object, tmp_path: Path) -> None:
    groups = np.array([30, 4, 4, 30, 7, 7, 30, 4])
    path = save(
        tmp_path,
        train_images=GREY[:6],
        train_labels=LABELS[:6],
        train_groups=groups[:6].astype(kind),
        test_images=GREY[6:8],
        test_labels=LABELS[6:8],
        test_groups=groups[6:].astype(kind),
        unlabelled_images=GREY[8:],
    )
    found = load(path).groups
    assert found is not None
    assert found[8:].tolist() == [-1] * 4
    assert len(set(found[:8].tolist())) == 3
    same = groups[:, None] == groups
    assert np.array_equal(found[:8, None] == found[:8], same)


def test_images_without_a_group_stand_alone(tmp_path: Path) -> None:
    groups = np.where(LABELS == 1, -1, LABELS)
    found = load(save(tmp_path, images=GREY, labels=LABELS, groups=groups)).groups
    assert found is not None
    assert ((found == -1) == (LABELS == 1)).all()
    assert load(save(tmp_path, images=GREY, labels=LABELS)).groups is None


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "Y_train", "X_val", "Y_val"),
        ("train_x", "train_y", "test_x", "test_y"),
        ("train_data", "train_targets", "test_data", "test_targets"),
    ],
)
def test_the_names_of_other_libraries_are_read(names: tuple[str, ...], tmp_path: Path) -> None:
    arrays = (GREY[:8], LABELS[:8], GREY[8:], LABELS[8:])
    dataset = load(save(tmp_path, **dict(zip(names, arrays, strict=True))))
    assert np.array_equal(whole(dataset.images), GREY[:, None])
    assert dataset.labels.tolist() == LABELS.tolist()
    assert len(dataset.train) == 8 and len(dataset.test) + len(dataset.valid) == 4


def test_arrays_named_as_we_name_them_win_over_others(tmp_path: Path) -> None:
    dataset = load(save(tmp_path, images=GREY, labels=LABELS, x=GREY[:3], y=LABELS[:3]))
    assert np.array_equal(whole(dataset.images), GREY[:, None])
