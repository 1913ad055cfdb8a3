"""`predict` and `encode` on a saved model."""

import csv
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow.parquet import read_table

from ae_cls.cli.commands import encode
from ae_cls.head.softmax import Softmax
from ae_cls.run.data import prepare
from ae_cls.saved.encoded import FORMATS
from ae_cls.saved.model import load_classifier, save_model
from tests.cli.conftest import AeCls
from tests.composed import experiment

WORDS = ("autoencoder=pixels", "pretrain=none", "encode=latent", "labels.per_class=3")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with a model on digits: two of its 64 pixels decide between ten classes."""
    given = experiment(*WORDS)
    prepared = prepare(given)
    weight = np.zeros((10, 64), np.float32)
    weight[3, 0], weight[7, 63] = 9.0, 9.0
    head = Softmax(
        head="linear",
        mean=np.zeros(64, np.float32),
        scale=np.ones(64, np.float32),
        weight=weight,
        bias=np.zeros(10, np.float32),
        facts={},
    )
    (tmp_path / "run").mkdir()
    names = prepared.dataset.class_names
    save_model(tmp_path / "run" / "model", given, prepared.network, class_names=names, head=head)
    return tmp_path / "run"


def finished(run: Path, command: str, number: int, state: str = "finished") -> str:
    """The same model as that of a run of so long ago, below `outputs`."""
    folder = Path("outputs/run/digits") / f"{number}-{command}-{state}"
    shutil.copytree(run, folder)
    status = folder / "status.json"
    status.write_text(json.dumps({"state": state, "command": command}))
    os.utime(status, (10**9 - number, 10**9 - number))
    return str(folder)


def test_latest_is_the_last_run_that_can_be_used_so(
    ae_cls: AeCls, run: Path, photos: Path, tmp_path: Path
) -> None:
    assert ae_cls("predict", "latest", "photos").code == 2
    first, second = finished(run, "run", 9), finished(run, "classify", 8)
    trained, _ = finished(run, "pretrain", 7), finished(run, "run", 6, "interrupted")
    for word, folder in (("latest", second), ("-1", second), ("-2", first)):
        assert f"{word} is {folder}\n" in ae_cls("predict", word, "photos").err
    refused = ae_cls("predict", "-3", "photos")
    assert refused.code == 2 and "there are only 2" in refused.err
    assert f"latest is {trained}\n" in ae_cls("encode", "latest", "-o", "f.npz").err
    for word, folder in (("latest", trained), ("-2", first), (first, first)):
        shown = ae_cls("classify", f"encoder={word}", "--cfg", "job", "--package", "encoder")
        assert shown.out == f"{folder}\n"
    elsewhere = ae_cls("classify", "encoder=latest", "outputs=other")
    assert elsewhere.code == 2 and "no such finished run that trained an encoder" in elsewhere.err
    run.rename("latest")  # what is really called so comes first
    assert "latest is" not in ae_cls("predict", "latest", "photos").err


def with_likeness(run: Path) -> None:
    """The same model as a run of today leaves it."""
    given = experiment(*WORDS)
    prepared = prepare(given)
    classifier = load_classifier(run, prepared.compute)
    save_model(
        run / "model", given, prepared.network, class_names=prepared.dataset.class_names,
        head=classifier.head, likeness=prepared.likeness(classifier, given.seed),
    )  # fmt: skip


def write_digits(folder: Path, rows: slice, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Images of the data set as files."""
    folder.mkdir(parents=True)
    for index, image in enumerate(prepare(experiment(*WORDS)).dataset.images[rows].numpy()[:, 0]):
        Image.fromarray(change(image)).save(folder / f"{index:03}.png")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two pictures that the model tells apart, and a damaged one."""
    folder = tmp_path / "photos"
    folder.mkdir(parents=True)
    for name, corner in (("first.png", (0, 0)), ("last.png", (7, 7))):
        image = Image.new("L", (8, 8), 0)
        image.putpixel(corner, 255)
        image.save(folder / name)
    (folder / "bad.png").write_bytes(b"no image")
    return folder


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_predict_labels_images_and_counts_errors(ae_cls: AeCls, run: Path, photos: Path) -> None:
    outcome = ae_cls("predict", str(run), "photos")
    assert outcome.code == 8
    told = [(row["path"], row["predicted"], bool(row["error"])) for row in table(outcome.out)]
    assert told == [
        ("photos/bad.png", "", True),
        ("photos/first.png", "3", False),
        ("photos/last.png", "7", False),
    ]
    assert float(table(outcome.out)[1]["p_3"]) > 0.9
    assert "1 of 3 files could not be decoded" in outcome.err
    assert "\n  photos/bad.png: " in outcome.err


def test_predict_of_files_that_are_no_images_ends_with_their_reasons(
    ae_cls: AeCls, run: Path, photos: Path, tmp_path: Path
) -> None:
    outcome = ae_cls("predict", "run", "photos/bad.png", "-o", "p.csv")
    assert outcome.code == 3
    assert "none of 1 files could be read" in outcome.err and "photos/bad.png: " in outcome.err
    (row,) = table((tmp_path / "p.csv").read_text())
    assert row["path"] == "photos/bad.png" and row["error"]
    (photos / "bad.png").unlink()
    assert ae_cls("predict", "run", "photos").code == 0


def test_predict_writes_the_same_bytes_twice_also_below_its_input(
    ae_cls: AeCls, run: Path, photos: Path
) -> None:
    printed = ae_cls("predict", str(run), "photos").out
    for _ in range(2):
        assert ae_cls("predict", str(run / "model"), "photos", "-o", "photos/out.csv").code == 8
        assert (photos / "out.csv").read_bytes() == printed.encode()


def test_images_unlike_those_of_training_are_marked_and_counted(
    ae_cls: AeCls, run: Path, tmp_path: Path
) -> None:
    with_likeness(run)
    write_digits(tmp_path / "fresh", slice(0, 60), lambda image: image)
    write_digits(tmp_path / "inverted", slice(0, 60), lambda image: 255 - image)
    fresh, inverted = (ae_cls("predict", "run", name) for name in ("fresh", "inverted"))
    assert sum(bool(row["unlike"]) for row in table(fresh.out)) <= 3
    assert "may be wrong" not in fresh.err
    assert all("than all training images" in row["unlike"] for row in table(inverted.out))
    assert "60 of 60 images are unlike the training images" in inverted.err
    ae_cls("encode", "run", "--folder", "inverted", "-o", "f.npz")
    with np.load(tmp_path / "f.npz") as found:
        assert found["unlike"].tolist() == [row["unlike"] for row in table(inverted.out)]
    other = ae_cls("encode", "run", "--folder", "inverted", "--encode", "pooled", "-o", "f.npz")
    assert "60 of 60 images are unlike" in other.err
    with np.load(tmp_path / "f.npz") as found:
        assert not any("far from" in text for text in found["unlike"])


def test_a_model_of_an_earlier_version_predicts_and_says_once_what_it_lacks(
    ae_cls: AeCls, run: Path, photos: Path
) -> None:
    outcome = ae_cls("predict", "run", "photos")
    assert [row["unlike"] for row in table(outcome.out)] == ["", "", ""]
    assert outcome.err.count("not said which images are unlike") == 1


def test_pictures_are_padded_with_the_colour_at_the_border_of_the_training_images(
    ae_cls: AeCls, run: Path, tmp_path: Path
) -> None:
    with_likeness(run)
    (tmp_path / "wide").mkdir()
    Image.new("L", (16, 8), 100).save(tmp_path / "wide" / "a.png")
    assert ae_cls("encode", "run", "--folder", "wide", "-o", "f.npz").code == 0
    with np.load(tmp_path / "f.npz") as found:
        image = found["features"].reshape(8, 8)
    assert image[[0, 1, -2, -1]].tolist() == [[0.0] * 8] * 4, "digits are black at the border"
    np.testing.assert_allclose(image[2:-2], 100 / 255, atol=0.01)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["predict", "run", "empty"], 3),
        (["predict", "run", "missing"], 3),
        (["predict", "missing", "photos"], 5),
        (["predict", "run", "photos", "-o", "missing/out.csv"], 2),
        (["predict", "run", "photos", "--device", "tpu"], 2),
        (["encode", "missing", "-o", "f.npz"], 5),
        (["encode", "run", "-o", "f.txt"], 2),
        (["encode", "run", "--folder", "empty", "-o", "f.npz"], 3),
        (["encode", "run", "--split", "tset", "-o", "f.npz"], 2),
        (["encode", "run", "--split", "test", "--folder", "photos", "-o", "f.npz"], 2),
    ],
)
def test_what_cannot_be_done_is_one_block(
    ae_cls: AeCls, run: Path, photos: Path, tmp_path: Path, words: list[str], code: int
) -> None:
    (tmp_path / "empty").mkdir()
    outcome = ae_cls(*words)
    assert outcome.code == code
    assert outcome.err.startswith(f"error[{code}] ") and "Traceback" not in outcome.err
    assert not list(tmp_path.glob("*.npz"))


def test_predict_refuses_a_damaged_model(ae_cls: AeCls, run: Path, photos: Path) -> None:
    weights = run / "model" / "head.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\xff")
    assert ae_cls("predict", "run", "photos").code == 5


@pytest.mark.parametrize(
    ("part", "count"),
    [("train", 1294), ("labelled", 30), ("valid", 144), ("test", 359), ("all", 1797)],
)
def test_encode_gives_features_of_each_part(
    ae_cls: AeCls, run: Path, tmp_path: Path, part: str, count: int
) -> None:
    assert ae_cls("encode", "run", "--split", part, "-o", "f.npz").code == 0
    prepared = prepare(experiment(*WORDS))
    with np.load(tmp_path / "f.npz") as found:
        rows = found["rows"]
        assert found["features"].shape == (count, 64) and found["features"].dtype == np.float32
        pixels = prepared.dataset.images[rows].flatten(1).numpy() / np.float32(255)
        np.testing.assert_array_equal(found["features"], pixels)
        np.testing.assert_array_equal(found["labels"], prepared.dataset.labels_of(rows))
        assert found["class_names"].tolist() == list("0123456789")


def test_encode_reads_features_as_asked(ae_cls: AeCls, run: Path, tmp_path: Path) -> None:
    ae_cls("encode", "run", "--split", "test", "--encode", "pooled", "-o", "f.npz")
    with np.load(tmp_path / "f.npz") as found:
        assert found["features"].shape == (359, 9)


def test_encode_names_the_files_of_a_folder_and_leaves_damaged_ones_out(
    ae_cls: AeCls, run: Path, photos: Path, tmp_path: Path
) -> None:
    outcome = ae_cls("encode", "run", "--folder", "photos", "-o", "f.npz")
    assert outcome.code == 8
    assert "left out: photos/bad.png" in outcome.err
    with np.load(tmp_path / "f.npz") as found:
        assert found["names"].tolist() == ["first.png", "last.png"]
        assert found["labels"].tolist() == [-1, -1]
        assert found["rows"].tolist() == [1, 2]
        assert found["features"][:, [0, 63]].tolist() == [[1, 0], [0, 1]]


def test_encode_writes_what_the_suffix_says_with_parts_and_class_folders(
    ae_cls: AeCls, run: Path, tmp_path: Path
) -> None:
    for name in ("train/7", "train/3", "test/3", "unlabelled"):
        write_digits(tmp_path / "sorted" / name, slice(0, 1), lambda image: image)
    for name in ("f.npz", "f.csv", "f.parquet"):
        assert ae_cls("encode", "run", "--folder", "sorted", "-o", name).code == 0
    told = [
        ("test/3/000.png", "test", "3"), ("train/3/000.png", "train", "3"),
        ("train/7/000.png", "train", "7"), ("unlabelled/000.png", "unlabelled", ""),
    ]  # fmt: skip
    with np.load(tmp_path / "f.npz") as found:
        features, labels = found["features"], found["labels"]
        assert found["parts"].tolist() == [part for _, part, _ in told]
        assert found["class_names"].tolist() == list("0123456789")
    assert labels.tolist() == [3, 3, 7, -1]
    rows = table((tmp_path / "f.csv").read_text())
    assert [(row["path"], row["part"], row["label"]) for row in rows] == told
    in_csv = [[float(row[f"f{place}"]) for place in range(64)] for row in rows]
    np.testing.assert_array_equal(np.array(in_csv, np.float32), features)
    parquet = read_table(tmp_path / "f.parquet").to_pydict()
    assert [*parquet] == [*rows[0]]
    assert parquet["label"] == ["3", "3", "7", None]
    np.testing.assert_array_equal(np.float32(parquet["f5"]), features[:, 5])


def test_encode_says_which_part_of_the_run_each_row_is_in(
    ae_cls: AeCls, run: Path, tmp_path: Path
) -> None:
    assert ae_cls("encode", "run", "-o", "f.csv").code == 0
    parts = Counter(row["part"] for row in table((tmp_path / "f.csv").read_text()))
    assert parts == {"train": 1294, "valid": 144, "test": 359}


def test_classes_of_other_folders_keep_their_own_names_and_odd_folders_are_no_classes(
    ae_cls: AeCls, run: Path, tmp_path: Path
) -> None:
    for name in ("cats", "dogs"):
        write_digits(tmp_path / "pets" / name, slice(0, 1), lambda image: image)
    assert ae_cls("encode", "run", "--folder", "pets", "-o", "f.npz").code == 0
    with np.load(tmp_path / "f.npz") as found:
        assert found["class_names"].tolist() == ["cats", "dogs"]
        assert (found["labels"].tolist(), found["parts"].tolist()) == ([0, 1], ["", ""])
    shutil.copy(tmp_path / "pets/cats/000.png", tmp_path / "pets/loose.png")
    outcome = ae_cls("encode", "run", "--folder", "pets", "-o", "f.npz")
    assert "no labels are taken from the folders" in outcome.err
    with np.load(tmp_path / "f.npz") as found:
        assert found["labels"].tolist() == [-1, -1, -1]


def test_encode_without_pyarrow_names_what_to_install(
    ae_cls: AeCls, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "find_spec", lambda name: None)
    outcome = ae_cls("encode", "run", "-o", "f.parquet")
    assert outcome.code == 2 and 'pip install "ae-cls[parquet]"' in outcome.err
    assert tuple(FORMATS) == encode.FORMATS


def test_encode_works_on_a_pretrained_encoder(ae_cls: AeCls, tmp_path: Path) -> None:
    given = experiment(*WORDS).pretraining()
    model = prepare(given).network
    (tmp_path / "run").mkdir()
    save_model(tmp_path / "run" / "model", given, model, class_names=("0",), head=None)
    assert ae_cls("encode", "run", "--split", "test", "-o", "f.npz").code == 0
    assert ae_cls("predict", "run", "nothing.png").code == 3
    (tmp_path / "a.png").write_bytes(b"")
    assert ae_cls("predict", "run", "a.png").code == 5


def test_encode_refuses_data_that_the_run_has_not_seen(ae_cls: AeCls, run: Path) -> None:
    (run / "metrics.json").write_text(json.dumps({"protocol": {"split_sha256": "00"}}))
    outcome = ae_cls("encode", "run", "-o", "f.npz")
    assert outcome.code == 3
    assert "not split as it was for this run" in outcome.err


def test_encode_and_classify_refuse_pictures_whose_classes_changed_names(
    ae_cls: AeCls, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    write_digits(photos / "zero", slice(0, 20), lambda image: image)
    write_digits(photos / "one", slice(20, 40), lambda image: 255 - image)
    words = ("dataset=folder", "dataset.root=photos", "dataset.image_size=8")
    quick = (
        "autoencoder=pixels",
        "encode=latent",
        "dataset.channels=1",
        "figures=false",
        "folder=r",
    )
    assert ae_cls("run", *words, *quick).code == 0
    (photos / "zero").rename(photos / "x")
    (photos / "one").rename(photos / "zero")
    (photos / "x").rename(photos / "one")
    for command in (("encode", "r", "-o", "f.npz"), ("classify", "encoder=r", "head=knn")):
        outcome = ae_cls(*command)
        assert outcome.code == 3
        assert "not what this run was given: 40 images changed, first one/" in outcome.err
